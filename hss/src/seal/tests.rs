use super::*;
use alloc::string::ToString;
use hex_literal::hex;

fn imsi(last: u8) -> Imsi {
    alloc::format!("00101000000000{last}").parse().unwrap()
}

const K: [u8; 16] = hex!("465b5ce8b199b49faa5f0a2ee238a6bc");
const OPC: [u8; 16] = hex!("cd63cb71954a9f4e48a5994e37a02baf");

fn keys(current: u8, previous: &[u8]) -> Vault {
    let key = |n| Key256::new([n; 32]);
    Vault::new(&StoreKeys::new(
        key(current),
        previous.iter().map(|n| key(*n)).collect(),
    ))
}

/// Made with python's `cryptography` (AESGCM): key 32 x 01, nonce 12 x 02, the data above, and as
/// associated data the key's number, the octet 15 and the digits of the IMSI.
#[test]
fn sealed_octets_of_an_independent_implementation_open() {
    let vault = keys(1, &[]);
    assert_eq!(vault.current().id.to_string(), KEY_ID);
    let mut octets = [2; SEALED];
    octets[12..].copy_from_slice(&SEALED_BY_PYTHON);
    let sealed = vault.sealed_of(vault.current().id, &octets).unwrap();
    let (k, opc) = vault.open(imsi(1), &sealed).unwrap();
    assert!(k == Key128::new(K) && opc == Key128::new(OPC));
}
const KEY_ID: &str = "13c04d6c";
const SEALED_BY_PYTHON: [u8; 48] = hex!(
    "418d95a1fbce75627993b6e6be9f640e"
    "6fd61a9e7efb123f952279b54f5b5fd0"
    "f440b3b9d9be50c65844b81a02ee501a"
);

#[test]
fn only_the_own_row_under_the_own_key_opens() {
    let (k, opc) = (Key128::new(K), Key128::new(OPC));
    let vault = keys(1, &[]);
    let mut rng = Rng::from_seed(1);
    let sealed = vault.seal(imsi(1), &k, &opc, &mut rng);
    let (k2, opc2) = vault.open(imsi(1), &sealed).unwrap();
    assert!(k2 == k && opc2 == opc);
    // Another SIM's row.
    assert_eq!(vault.open(imsi(2), &sealed).err(), Some(DoesNotOpen));
    // Any bit turned.
    for bit in 0..8 * SEALED {
        let mut turned = sealed;
        turned.octets[bit / 8] ^= 1 << (bit % 8);
        assert!(vault.open(imsi(1), &turned).is_err(), "bit {bit}");
    }
    // Another key, or none of its number.
    let id = vault.current().id;
    let other = keys(2, &[]);
    assert_eq!(other.sealed_of(id, sealed.octets()).err(), Some(NoKey));
    assert!(other.open(imsi(1), &sealed).is_err());
    assert_eq!(
        vault.sealed_of(id, &sealed.octets()[1..]).err(),
        Some(NoKey)
    );
    // Neither secret stands in it, and no two seals are the same.
    let holds = |needle: &[u8]| sealed.octets().windows(16).any(|w| w == needle);
    assert!(!holds(&K) && !holds(&OPC));
    let again = vault.seal(imsi(1), &k, &opc, &mut rng);
    assert_ne!(again.octets, sealed.octets);
}

#[test]
fn a_previous_key_opens_and_the_current_one_seals() {
    let (k, opc) = (Key128::new(K), Key128::new(OPC));
    let mut rng = Rng::from_seed(1);
    let before = keys(1, &[]);
    let old = before.seal(imsi(1), &k, &opc, &mut rng);
    let vault = keys(2, &[3, 1]);
    let sealed = vault.sealed_of(before.id_of(&old), old.octets()).unwrap();
    assert!(Vault::is_outdated(&sealed) && vault.open(imsi(1), &sealed).is_ok());
    let anew = vault.seal(imsi(1), &k, &opc, &mut rng);
    assert!(!Vault::is_outdated(&anew));
    assert_eq!(vault.id_of(&anew), vault.current().id);
    assert!(vault.knows(&before.current()) && !before.knows(&vault.current()));
}
