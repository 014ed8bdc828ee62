use alloc::string::String;
use alloc::vec::Vec;

use heiiki_types::Imei;

use crate::avp::Avp;
use crate::dictionary as d;
use crate::fields::Fields;
use crate::result::AnswerError;

/// Terminal-Information, TS 29.272 §7.3.3: what the equipment says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terminal {
    /// IMEI, 14 digits: the check digit that some equipment adds identifies nothing.
    pub imei: Option<Imei>,
    /// Software-Version, two digits.
    pub software_version: Option<String>,
}

impl Terminal {
    /// The AVP, if there is anything to say.
    pub(crate) fn to_avp(&self) -> Option<Avp> {
        let imei = self.imei.map(|imei| {
            let digits = imei.significant().map(|digit| b'0' + digit);
            Avp::octets(&d::IMEI, digits.collect::<Vec<u8>>())
        });
        let version = self
            .software_version
            .as_ref()
            .map(|v| Avp::text(&d::SOFTWARE_VERSION, v));
        let members: Vec<Avp> = imei.into_iter().chain(version).collect();
        (!members.is_empty()).then(|| Avp::group(&d::TERMINAL_INFORMATION, &members))
    }

    pub(crate) fn read(f: &Fields<'_>) -> Result<Self, AnswerError> {
        let imei: Option<Imei> = f.optional(&d::IMEI)?;
        let digits = |imei: Imei| -> String {
            let digits = imei.significant();
            digits.map(|digit| char::from(b'0' + digit)).collect()
        };
        Ok(Self {
            imei: imei.and_then(|imei| digits(imei).parse().ok()),
            software_version: f.optional(&d::SOFTWARE_VERSION)?,
        })
    }
}
