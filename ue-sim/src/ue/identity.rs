//! The identification procedure, TS 24.301 §5.4.4.

use alloc::string::String;

use heiiki_nas::{IdentityType, Imeisv, MobileIdentity, emm};

use super::{Context, Ue};

impl Ue {
    /// Says who it is; whoever asks without protection may ask for the IMSI alone, which the
    /// caller has checked.
    pub(super) fn identify(&mut self, cx: &mut Context<'_>, wanted: IdentityType) {
        let identity = match wanted {
            IdentityType::IMSI => Some(MobileIdentity::Imsi(self.usim.imsi())),
            IdentityType::IMEI => Some(MobileIdentity::Imei(self.profile.imei)),
            IdentityType::IMEISV => self.imeisv().map(MobileIdentity::Imeisv),
            IdentityType::TMSI => self.guti.map(|g| MobileIdentity::Tmsi(g.m_tmsi)),
            _ => None,
        };
        let identity = identity.unwrap_or(MobileIdentity::NoIdentity);
        let response = emm::IdentityResponse { identity };
        self.send(cx, &emm::Message::IdentityResponse(response));
    }

    /// The equipment with its software version, TS 23.003 §6.2.2.
    pub(super) fn imeisv(&self) -> Option<Imeisv> {
        let digit = |d: u8| char::from_digit(u32::from(d), 10);
        let version = self.profile.software_version % 100;
        let digits = self.profile.imei.significant();
        let digits = digits.chain([version / 10, version % 10]);
        let text: Option<String> = digits.map(digit).collect();
        text?.parse().ok()
    }
}
