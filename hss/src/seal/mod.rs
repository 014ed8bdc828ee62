//! Secrets at rest: K and OPc of a SIM under a master key that is not in the store.
//!
//! AES-256-GCM (NIST SP 800-38D) with a random nonce a row. The IMSI and the number of the master key
//! are authenticated with the secrets, so that a row put in another's place does not open. Secrets
//! stay sealed in memory too, and are opened for each request that needs them.

use alloc::vec::Vec;
use core::fmt;

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use heiiki_types::{Imsi, Key128, Key256, Rng};
use zeroize::Zeroize;

pub(crate) mod rotation;
#[cfg(test)]
mod tests;

/// The most master keys that a store may know: the one to seal with and those of before.
pub const STORE_KEYS_MAX: usize = 16;

/// The master keys of a store. They have no `Debug` and are wiped when dropped.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "a key must not print")]
pub struct StoreKeys {
    current: Key256,
    previous: Vec<Key256>,
}

impl StoreKeys {
    /// Everything is sealed with `current`; rows that are still sealed with one of `previous` are
    /// opened with it, and sealed anew. Previous keys beyond [`STORE_KEYS_MAX`] are passed over.
    pub const fn new(current: Key256, previous: Vec<Key256>) -> Self {
        Self { current, previous }
    }

    /// The same, with everything that `older` could open openable too.
    #[must_use]
    pub fn with_previous(mut self, older: &Self) -> Self {
        self.previous.push(older.current.clone());
        self.previous.extend(older.previous.iter().cloned());
        self
    }

    /// A key that nobody knows.
    pub fn random(rng: &mut Rng) -> Self {
        Self::new(Key256::new(rng.octets()), Vec::new())
    }
}

/// The number of a master key, made of the key: by it a row says which key it needs. People see eight
/// hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct KeyId(u32);

impl serde::Serialize for KeyId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() {
            s.collect_str(self)
        } else {
            s.serialize_u32(self.0)
        }
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// What shows in the store which master key is its own, and that a key with the same number is not
/// another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct KeyCheck {
    pub(crate) id: KeyId,
    check: [u8; 16],
}

/// The nonce of the check alone: rows have random ones.
const CHECK_NONCE: [u8; 12] = [0xff; 12];

impl KeyCheck {
    fn of(cipher: &Aes256Gcm) -> Self {
        let tag = cipher.encrypt_inout_detached(
            &Nonce::from(CHECK_NONCE),
            b"heiiki store key",
            (&mut [][..]).into(),
        );
        // Nothing is too long here, so there is a tag.
        let check: [u8; 16] = tag.map(Into::into).unwrap_or_default();
        let [a, b, c, d, ..] = check;
        Self {
            id: KeyId(u32::from_be_bytes([a, b, c, d])),
            check,
        }
    }
}

/// Octets of a nonce, K, OPc and the tag.
const SEALED: usize = 12 + 32 + 16;

/// K and OPc of a SIM, sealed.
#[derive(Clone, Copy)]
pub(crate) struct Sealed {
    octets: [u8; SEALED],
    /// The place of its key in the vault.
    key: u8,
}

impl Sealed {
    /// What a row holds of it, beside the key's number.
    pub(crate) const fn octets(&self) -> &[u8] {
        &self.octets
    }
}

/// The secrets of a row do not open: it is another SIM's, or was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DoesNotOpen;

/// A row needs a master key that was not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoKey;

/// The master keys, ready for use. The first one seals.
pub(crate) struct Vault {
    keys: Vec<(KeyCheck, Aes256Gcm)>,
}

impl Vault {
    pub(crate) fn new(keys: &StoreKeys) -> Self {
        let all = core::iter::once(&keys.current).chain(&keys.previous);
        let ready = all.take(STORE_KEYS_MAX).map(|key| {
            let cipher = Aes256Gcm::new(key.expose().into());
            (KeyCheck::of(&cipher), cipher)
        });
        Self {
            keys: ready.collect(),
        }
    }

    /// The check of the key that seals.
    pub(crate) fn current(&self) -> KeyCheck {
        let none = KeyCheck {
            id: KeyId(0),
            check: [0; 16],
        };
        self.keys.first().map_or(none, |(check, _)| *check)
    }

    /// The numbers of all keys.
    pub(crate) fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.keys.iter().map(|(check, _)| check.id)
    }

    /// Whether the key of `check` is among these.
    pub(crate) fn knows(&self, check: &KeyCheck) -> bool {
        self.keys.iter().any(|(known, _)| known == check)
    }

    /// Whether something is sealed with a key of before.
    pub(crate) const fn is_outdated(sealed: &Sealed) -> bool {
        sealed.key != 0
    }

    /// The number of the key that something is sealed with.
    pub(crate) fn id_of(&self, sealed: &Sealed) -> KeyId {
        self.keys
            .get(usize::from(sealed.key))
            .map_or(KeyId(0), |(check, _)| check.id)
    }

    /// Takes the sealed octets of a row.
    pub(crate) fn sealed_of(&self, id: KeyId, octets: &[u8]) -> Result<Sealed, NoKey> {
        let key = (0..).zip(self.ids()).find(|(_, known)| *known == id);
        Ok(Sealed {
            octets: octets.try_into().map_err(|_| NoKey)?,
            key: key.ok_or(NoKey)?.0,
        })
    }

    /// Seals the secrets of `imsi` with the current key.
    pub(crate) fn seal(&self, imsi: Imsi, k: &Key128, opc: &Key128, rng: &mut Rng) -> Sealed {
        let mut octets = [0; SEALED];
        let nonce: [u8; 12] = rng.octets();
        let (head, rest) = octets.split_at_mut(12);
        let (text, tag) = rest.split_at_mut(32);
        let (first, second) = text.split_at_mut(16);
        head.copy_from_slice(&nonce);
        first.copy_from_slice(k.expose());
        second.copy_from_slice(opc.expose());
        let sealed = self.keys.first().and_then(|(check, cipher)| {
            let about = about(imsi, check.id);
            cipher
                .encrypt_inout_detached(&Nonce::from(nonce), &about, text.into())
                .ok()
        });
        match sealed {
            Some(made) => tag.copy_from_slice(&made),
            // There is always a key, and 32 octets are not too long. If not, nothing is kept.
            None => octets.zeroize(),
        }
        Sealed { octets, key: 0 }
    }

    /// Opens the secrets of `imsi`: K and OPc.
    pub(crate) fn open(
        &self,
        imsi: Imsi,
        sealed: &Sealed,
    ) -> Result<(Key128, Key128), DoesNotOpen> {
        let key = self.keys.get(usize::from(sealed.key));
        let (check, cipher) = key.ok_or(DoesNotOpen)?;
        let (nonce, rest) = sealed.octets.split_first_chunk::<12>().ok_or(DoesNotOpen)?;
        let (text, tag) = rest.split_first_chunk::<32>().ok_or(DoesNotOpen)?;
        let tag: [u8; 16] = tag.try_into().map_err(|_| DoesNotOpen)?;
        let mut text = *text;
        let opened = cipher.decrypt_inout_detached(
            &Nonce::from(*nonce),
            &about(imsi, check.id),
            text.as_mut_slice().into(),
            &Tag::from(tag),
        );
        let secrets = match (opened, text.split_first_chunk::<16>()) {
            (Ok(()), Some((k, opc))) => <[u8; 16]>::try_from(opc)
                .map(|opc| (Key128::new(*k), Key128::new(opc)))
                .map_err(|_| DoesNotOpen),
            _ => Err(DoesNotOpen),
        };
        text.zeroize();
        secrets
    }
}

/// What is authenticated with the secrets: the key's number, and the IMSI with its length.
fn about(imsi: Imsi, id: KeyId) -> [u8; 20] {
    let mut about = [0; 20];
    let (number, rest) = about.split_at_mut(4);
    number.copy_from_slice(&id.0.to_be_bytes());
    let mut length = 0;
    for (place, digit) in rest.iter_mut().skip(1).zip(imsi.digits()) {
        *place = b'0' + digit;
        length += 1;
    }
    if let Some(first) = rest.first_mut() {
        *first = length;
    }
    about
}
