//! A cut that crosses an attach: whatever the moment, the SIM ends dark.

use heiiki::Lab;
use heiiki_ue_sim::UeCommand;

use crate::prelude::*;

/// An attach that began `after` ago; S6a is up.
fn in_flight(after: core::time::Duration) -> Lab {
    let mut lab = one_pc();
    lab.run_for(s(1));
    lab.command("pc-1", UeCommand::PowerOn);
    lab.command("pc-1", UeCommand::Attach);
    lab.run_for(after);
    lab
}

/// How long an attach takes, in whole milliseconds and a few more.
fn span() -> u64 {
    let mut lab = one_pc();
    let took = lab.attach("pc-1").unwrap().took;
    u64::try_from(took.as_millis()).unwrap() + 10
}

/// Goal: a SIM that is suspended while it attaches ends dark. Method: every moment of the attach in
/// steps of 1 ms; a minute later nothing of it is left, and its next attach is refused.
#[test]
fn a_suspension_at_any_moment_of_an_attach_ends_dark() {
    let span = span();
    assert!(span > 35, "an attach crosses many links: {span} ms");
    for at in 0..=span {
        let what = format!("suspended {at} ms into the attach");
        let mut lab = in_flight(ms(at));
        let cut = lab.suspend("pc-1", "stolen").unwrap();
        assert!(cut.dark, "{what}: {cut:?}");
        assert_dark(&mut lab, "pc-1", &what);
        lab.run_for(s(60));
        assert_dark(&mut lab, "pc-1", &what);
        assert_eq!(lab.attach("pc-1").unwrap_err().cause(), "#8", "{what}");
        assert_dark(&mut lab, "pc-1", &what);
    }
}

/// Goal: the same for a pause, and a resume brings the SIM back. Method: every third millisecond.
#[test]
fn a_pause_and_resume_at_any_moment_of_an_attach_leave_a_sim_that_works() {
    for at in (0..=span()).step_by(3) {
        let what = format!("paused {at} ms into the attach");
        let mut lab = in_flight(ms(at));
        assert!(lab.pause("pc-1", "unpaid").unwrap().dark, "{what}");
        assert_dark(&mut lab, "pc-1", &what);
        lab.resume("pc-1", "paid").unwrap();
        attach_patiently(&mut lab, "pc-1").unwrap();
        assert_works(&mut lab, "pc-1", &what);
    }
}

/// Goal: a cut that crosses a detach or a second attach ends dark too. Method: both, every third
/// millisecond.
#[test]
fn a_suspension_while_the_sim_leaves_or_returns_ends_dark() {
    for at in (0..=span()).step_by(3) {
        for returns in [false, true] {
            let what = format!("suspended {at} ms after the end, returns: {returns}");
            let mut lab = one_pc();
            lab.attach("pc-1").unwrap();
            if returns {
                lab.command("pc-1", UeCommand::PowerOff);
                lab.command("pc-1", UeCommand::PowerOn);
                lab.command("pc-1", UeCommand::Attach);
            } else {
                lab.command("pc-1", UeCommand::Detach { switch_off: false });
            }
            lab.run_for(ms(at));
            assert!(lab.suspend("pc-1", "stolen").unwrap().dark, "{what}");
            lab.run_for(s(60));
            assert_dark(&mut lab, "pc-1", &what);
        }
    }
}
