use alloc::vec::Vec;

use heiiki_types::Qci;

/// EPS quality of service, TS 24.301 §9.9.4.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpsQos {
    /// The class of the bearer.
    pub qci: Qci,
    /// The bit rates of a GBR bearer as octets 4 and following code them: 4, 8 or 12 octets. Empty
    /// for every other bearer.
    pub bit_rates: Vec<u8>,
}

impl EpsQos {
    /// The quality of a bearer without guaranteed rate, as every default bearer is.
    pub const fn non_gbr(qci: Qci) -> Self {
        Self {
            qci,
            bit_rates: Vec::new(),
        }
    }

    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        let (qci, rates) = value.split_first()?;
        matches!(rates.len(), 0 | 4 | 8 | 12).then(|| Self {
            qci: Qci(*qci),
            bit_rates: rates.to_vec(),
        })
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::from([self.qci.0]);
        out.extend(&self.bit_rates);
        out
    }
}
