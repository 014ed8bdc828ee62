//! What a run in a lab cannot show, whatever its verdict.

/// Printed in every report.
pub(super) const LIMITS: [&str; 8] = [
    "Closed is not encrypted: user packets are in clear on S1-U, S5-U and SGi.",
    "Closed is not free of malware: USB sticks, other networks that a device was on before, and \
     movement inside the company network are not seen here.",
    "The proof ends at the gateway's SGi port: behind it only probes speak.",
    "A SIM is not a user: whoever holds the device uses its SIM.",
    "An IMEI proves nothing about the device that shows it.",
    "A copied SIM with the right K looks like the SIM itself to authentication.",
    "The radio is simulated: coverage, interference and capacity are not shown.",
    "Times are those of this lab's links and machine, not of a carrier's network.",
];
