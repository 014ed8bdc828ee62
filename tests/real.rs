//! The same lab on real sockets: threads, loopback UDP and TCP, journals in files.
#![cfg(feature = "cli")]
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    reason = "what fails here fails the test"
)]

use core::time::Duration;

use heiiki::lab::Builder;
use heiiki::real::RealNetwork;
use heiiki::{Lab, lab::AttachError};

fn lab() -> Lab<RealNetwork> {
    Builder::new()
        .tenant("red", "10.20.0.0/16")
        .tenant("blue", "10.20.0.0/16")
        .sims("red", 2, "red")
        .sims("blue", 2, "blue")
        .build_real()
        .unwrap()
}

/// Goal: the path from the SIM to the intranet works on real sockets, and a lost SIM goes dark.
/// Method: attach, fetch a page and a file, suspend under load, try to come back.
#[test]
fn lost_sim_goes_dark_on_real_sockets() {
    let mut lab = lab();
    for sim in ["red-1", "red-2", "blue-1", "blue-2"] {
        lab.attach(sim).unwrap();
    }
    assert_eq!(lab.get("red-1", "http://intranet/").unwrap().status, 200);
    let file = lab
        .get("blue-1", "http://intranet/file?size=300000")
        .unwrap();
    assert_eq!(file.bytes, 300_000);

    let red = lab
        .plan()
        .tenants
        .first()
        .unwrap()
        .hosts
        .first()
        .unwrap()
        .address;
    let core::net::IpAddr::V4(intranet) = red else {
        panic!("an IPv4 host")
    };
    let stream = lab.start_stream("red-1", intranet, Duration::from_millis(5));
    lab.run_for(Duration::from_millis(200));
    let cut = lab.suspend("red-1", "left on a train").unwrap();
    assert!(cut.dark, "{cut:?}");
    assert!(cut.t0 <= cut.t1.unwrap() && cut.t4 <= cut.t5_uplink && cut.t4 <= cut.t5_downlink);
    // A UE that was told to leave has ended its stream by itself.
    let _ = lab.stop_stream("red-1", stream);
    let refused = lab.attach("red-1").unwrap_err();
    assert!(
        matches!(
            refused,
            AttachError::Rejected {
                cause: 8,
                protected: true,
                ..
            }
        ),
        "{refused}"
    );
    assert_eq!(lab.get("red-2", "http://intranet/").unwrap().status, 200);

    lab.resume("red-1", "found").unwrap();
    lab.attach("red-1").unwrap();
    assert_eq!(lab.get("red-1", "http://intranet/").unwrap().status, 200);
}
