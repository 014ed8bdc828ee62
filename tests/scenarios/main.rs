//! Whole labs in virtual time: what a SIM, an operator, an attacker, a bad link and a power cut do
//! to the closed network, and what must hold all the same.
//!
//! Every operation of a lab also checks the invariants of the network and panics when one breaks,
//! so each of these tests looks at them too.

#[cfg(test)]
mod addresses;
#[cfg(test)]
mod attach;
#[cfg(test)]
mod authentication;
#[cfg(test)]
mod closed;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod cut;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod equipment;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod flight;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod prelude;
#[cfg(test)]
mod repeat;
#[cfg(test)]
mod tenants;
