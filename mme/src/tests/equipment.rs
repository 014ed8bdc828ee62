//! S13: the equipment register's word at an attach.

use core::time::Duration;

use heiiki_diameter::AnswerResult;
use heiiki_diameter::s13::{EQUIPMENT_UNKNOWN, EquipmentStatus};

use super::world::{HssReply, World, config};
use crate::{Equipment, Event, State};

fn world(strict: bool) -> World {
    let mut config = config();
    config.equipment_check = Some(Equipment {
        refuse_unknown: strict,
        refuse_unanswered: strict,
    });
    World::with(config)
}

const fn listed(status: EquipmentStatus) -> (AnswerResult, Option<EquipmentStatus>) {
    (AnswerResult::SUCCESS, Some(status))
}

fn rejected_with(world: &World, wanted: u8) -> bool {
    world.has(
        |e| matches!(e, Event::AttachRejected { cause, protected: true, .. } if *cause == wanted),
    )
}

#[test]
fn white_and_grey_equipment_is_served() {
    for status in [EquipmentStatus::WHITE, EquipmentStatus::GREY] {
        let mut world = world(true);
        world.hss.equipment = Some(listed(status));
        world.attach(1);
        assert_eq!(world.state(1), Some(State::Registered));
        let asked = &world.hss.ecrs[0];
        assert_eq!(asked.imsi, Some(super::world::imsi(1)));
        assert_eq!(asked.terminal.imei, world.hss.ulrs[0].terminal_information);
        assert!(asked.terminal.imei.is_some());
    }
}

/// EMM cause 6, under integrity protection, and the HSS is not told of a location.
#[test]
fn black_equipment_is_refused_for_good() {
    let mut world = world(false);
    world.hss.equipment = Some(listed(EquipmentStatus::BLACK));
    world.attach(1);
    assert!(rejected_with(&world, 6), "{:?}", world.events);
    assert!(world.hss.ulrs.is_empty());
    assert_eq!(world.mme.sessions().count(), 0);
}

#[test]
fn unknown_equipment_is_the_policy_s() {
    for strict in [false, true] {
        let mut world = world(strict);
        world.hss.equipment = Some((EQUIPMENT_UNKNOWN, None));
        world.attach(1);
        assert_eq!(rejected_with(&world, 6), strict);
        assert_eq!(world.hss.ulrs.len(), usize::from(!strict));
    }
}

/// A register that is silent is the network's fault: cause 22 with a back-off, or service.
#[test]
fn a_silent_register_is_the_policy_s() {
    for strict in [false, true] {
        let mut world = world(strict);
        world.attach(1);
        assert!(world.hss.ulrs.is_empty());
        world.wait(Duration::from_secs(6));
        assert_eq!(rejected_with(&world, 22), strict, "{:?}", world.events);
        assert_eq!(world.hss.ulrs.len(), usize::from(!strict));
    }
}

#[test]
fn without_the_check_nobody_is_asked() {
    let mut world = World::new();
    world.hss.equipment = Some(listed(EquipmentStatus::BLACK));
    world.attach(1);
    assert_eq!(world.state(1), Some(State::Registered));
    assert!(world.hss.ecrs.is_empty());
    assert_eq!(world.hss.ulr, HssReply::Success);
}
