use alloc::string::String;
use alloc::vec::Vec;

use heiiki_gtp::pco::Credentials;
use heiiki_types::{Imsi, Prefix, Token, constant_time_eq};
use md5::{Digest, Md5};

/// The kinds of addresses that an access point hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Families {
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
    /// Either, and both to a UE that asks for both.
    Both,
}

/// How the name and the password that a UE sends (PAP or CHAP, TS 24.008 §10.5.6.3) are answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Authentication {
    /// Not at all: the SIM is who it is.
    #[default]
    None,
    /// With success, whatever they are and whether or not there are any.
    Accept,
    /// With success for one of these; every other session is refused.
    Users(Vec<User>),
}

/// A name and its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// The password, which is the secret of CHAP too.
    pub password: Token,
}

impl User {
    /// Whether these credentials are the user's. The password is compared in constant time.
    pub fn is(&self, credentials: &Credentials<'_>) -> bool {
        let own = self.password.expose().as_bytes();
        let is_right = match credentials {
            Credentials::Pap { password, .. } => constant_time_eq(password, own),
            Credentials::Chap {
                identifier,
                challenge,
                response,
                ..
            } => {
                // RFC 1994 §4.1.
                let digest = Md5::new()
                    .chain_update([*identifier])
                    .chain_update(own)
                    .chain_update(challenge);
                constant_time_eq(response, &digest.finalize())
            }
        };
        is_right && credentials.user() == self.name.as_bytes()
    }
}

/// A network behind the UE of one SIM: packets for it go to that UE, which may send from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FramedRoute {
    /// The SIM.
    pub imsi: Imsi,
    /// The network, within the declared prefixes of the tenant and outside everything else.
    pub prefix: Prefix,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The response is the one of `fixtures/vectors/gtp_pco.json`, computed by another
    /// implementation.
    #[test]
    fn chap_is_checked_as_rfc_1994_says() {
        let user = User {
            name: "sim001@corp".into(),
            password: Token::new("secret".into()),
        };
        let response = hex_literal::hex!("15c1682eb7ac3daca85d727884af20a0");
        let challenge = hex_literal::hex!("00112233445566778899aabbccddeeff");
        let credentials = |identifier, user| Credentials::Chap {
            user,
            identifier,
            challenge: &challenge,
            response: &response,
        };
        assert!(user.is(&credentials(7, b"sim001@corp")));
        assert!(!user.is(&credentials(8, b"sim001@corp")));
        assert!(!user.is(&credentials(7, b"sim002@corp")));
        let other = User {
            password: Token::new("secre".into()),
            ..user
        };
        assert!(!other.is(&credentials(7, b"sim001@corp")));
        let pap = |password| Credentials::Pap {
            user: b"sim001@corp",
            password,
        };
        assert!(other.is(&pap(b"secre")) && !other.is(&pap(b"secret")));
    }
}
