use alloc::vec::Vec;

use heiiki_types::{Machine, Rng, StorageInput, StorageOutput};

use super::world::{World, config};
use crate::{Event, Input, Mme, Output};

/// Goal: GTP peers see every restart. Method: start twice on the same disk.
#[test]
fn the_restart_counter_rises_and_is_durable_first() {
    let mut world = World::stopped(config());
    world.mme.start(world.now);
    world.run();
    assert!(world.has(|e| matches!(e, Event::Started { restart_counter: 1 })));
    let disk = world.persisted.clone();
    let mut again = World::stopped(config());
    again.persisted = disk;
    again.mme.start(again.now);
    again.run();
    assert!(again.has(|e| matches!(e, Event::Started { restart_counter: 2 })));
}

#[test]
fn nothing_is_said_before_the_counter_is_durable() {
    let world = World::stopped(config());
    let mut mme = Mme::new(config(), Rng::from_seed(1));
    mme.start(world.now);
    assert_eq!(
        mme.poll_output(),
        Some(Output::Storage(StorageOutput::Load))
    );
    let loaded = Input::Storage(StorageInput::Loaded(Vec::new()));
    mme.handle_input(world.now, loaded.clone());
    let Some(Output::Storage(StorageOutput::Persist { seq, .. })) = mme.poll_output() else {
        panic!("no write");
    };
    assert_eq!(
        (mme.poll_output(), mme.poll_timeout(), mme.is_serving()),
        (None, None, false)
    );
    // A second answer of the disk changes nothing.
    mme.handle_input(world.now, loaded);
    assert_eq!(mme.poll_output(), None);
    mme.handle_input(world.now, Input::Storage(StorageInput::Persisted { seq }));
    assert!(mme.is_serving());
    assert!(mme.poll_output().is_some());
}

#[test]
fn a_node_whose_disk_fails_stays_down() {
    let mut world = World::stopped(config());
    world.mme.start(world.now);
    world
        .mme
        .handle_input(world.now, Input::Storage(StorageInput::Failed));
    world.run();
    assert!(!world.mme.is_serving());
    assert!(world.has(|e| matches!(e, Event::DiskFailed)));
    world.attach(1);
    assert!(world.s1.is_empty());
}

/// Goal: nothing of a former life is taken for its own. Method: the same seed, the same disk.
#[test]
fn a_restart_with_the_same_seed_uses_other_numbers() {
    let mut world = World::new();
    world.attached(1);
    let before = world.context(1).unwrap();
    let disk = world.persisted.clone();
    let mut again = World::stopped(config());
    again.persisted = disk;
    again.mme.start(again.now);
    again.run();
    again.attached(1);
    let after = again.context(1).unwrap();
    assert_ne!(before.guti, after.guti);
    assert_ne!(before.mme_ue_id, after.mme_ue_id);
    let (before, after) = (before.session.unwrap(), after.session.unwrap());
    assert_ne!(before.s5c, after.s5c);
    assert_ne!(before.s1u, after.s1u);
}

#[test]
fn a_stop_says_goodbye_to_the_hss() {
    let mut world = World::new();
    world.mme.stop(world.now);
    world.run();
    world.wait(core::time::Duration::from_secs(5));
    assert!(world.mme.is_stopped());
}
