use std::path::{Path, PathBuf};

use super::*;

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(path)
}

#[test]
fn lost_sim_reads() {
    let s = load_scenario(&fixture("scenarios/lost-sim.toml"), Size::Ci);
    let s = match s {
        Ok(s) => s,
        Err(m) => panic!("{}", m.render(false, 100)),
    };
    assert_eq!(s.lab.sims.len(), 11);
    println!("{s:#?}");
}
#[test]
fn servers_read() {
    let dir = |f: &str| fixture("labs/three-processes").join(f);
    let show = |m: Mistakes| panic!("{}", m.render(false, 100));
    load_hss(&dir("hss.toml")).map_err(show).ok();
    load_pgw(&dir("pgw.toml")).map_err(show).ok();
    load_ue_sim(&dir("ue-sim.toml")).map_err(show).ok();
    let a = load_subscribers(&dir("subscribers.toml"))
        .map_err(show)
        .ok();
    let b = load_subscribers(&dir("subscribers.csv")).map_err(show).ok();
    assert_eq!(a, b);
}
#[test]
fn show() {
    let Err(m) = load_scenario(Path::new("/tmp/bad/a.toml"), Size::Ci) else {
        panic!()
    };
    println!("{}\n{m}", m.render(false, 100));
}
