use super::*;

fn key(text: &str) -> EquipmentKey {
    text.parse().unwrap()
}

fn entry(list: List) -> Entry {
    Entry {
        list,
        note: String::new(),
    }
}

#[test]
fn equipment_is_named_in_five_ways() {
    for text in [
        "35609204",
        "35609204079301",
        "3560920407930142",
        "35609204000000-35609204099999",
    ] {
        assert_eq!(key(text).to_string(), text);
    }
    assert_eq!(key("356092040793015"), key("35609204079301"));
    // A range that is all of a TAC, or one device, is that.
    assert_eq!(key("35609204000000-35609204999999"), key("35609204"));
    assert_eq!(key("35609204079301-35609204079301"), key("35609204079301"));
    for wrong in [
        "",
        "3560920",
        "356092040793",
        "35609204079301422",
        "3560920a",
        "35609204079302-35609204079301",
        "356092040793015-356092040793015",
        "-",
        "+5609204",
    ] {
        assert_eq!(wrong.parse::<EquipmentKey>(), Err(InvalidKey), "{wrong}");
    }
}

#[test]
fn the_narrowest_row_decides() {
    let imei: Imei = "356092040793015".parse().unwrap();
    let mut lists = Equipment::default();
    assert_eq!(lists.list_of(imei, None), None);
    lists.set(key("35609200000000-35609299999999"), entry(List::White));
    assert_eq!(lists.list_of(imei, None), Some(List::White));
    lists.set(key("35609204"), entry(List::Grey));
    assert_eq!(lists.list_of(imei, None), Some(List::Grey));
    lists.set(key("35609204070000-35609204079999"), entry(List::Black));
    assert_eq!(lists.list_of(imei, None), Some(List::Black));
    lists.set(key("35609204079300-35609204079399"), entry(List::White));
    assert_eq!(lists.list_of(imei, None), Some(List::White));
    lists.set(key("35609204079301"), entry(List::Grey));
    assert_eq!(lists.list_of(imei, Some(42)), Some(List::Grey));
    lists.set(key("3560920407930142"), entry(List::Black));
    assert_eq!(lists.list_of(imei, Some(42)), Some(List::Black));
    assert_eq!(lists.list_of(imei, Some(41)), Some(List::Grey));
    assert_eq!(lists.list_of(imei, None), Some(List::Grey));
    assert_eq!(lists.ranges(), 3);
    for text in [
        "3560920407930142",
        "35609204079301",
        "35609204079300-35609204079399",
        "35609204070000-35609204079999",
        "35609204",
        "35609200000000-35609299999999",
    ] {
        assert!(lists.remove(key(text)), "{text}");
        assert!(!lists.remove(key(text)), "{text}");
    }
    assert_eq!((lists.len(), lists.ranges()), (0, 0));
    let other: Imei = "49015420323751".parse().unwrap();
    lists.set(key("35609204"), entry(List::Black));
    assert_eq!(lists.list_of(other, None), None);
}
