//! A scenario: a lab, what is done in it and what must then hold.

use core::net::IpAddr;

use heiiki_types::{Apn, Duration, Protections};

use super::{Lab, LinkName, Quality};

/// A checked scenario. Every name in it is resolved, so that a runner looks nothing up.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The file's name without its extension; names the output folder.
    pub name: String,
    /// One line for the head of the report.
    pub title: String,
    /// What the scenario shows and why, for `explain`.
    pub about: String,
    /// The seed, unless the command line gives one.
    pub seed: u64,
    /// The size whose counts and thresholds are in force.
    pub size: Size,
    /// The network.
    pub lab: Lab,
    /// What is done, in order. A step starts when its time has come and the step before it is
    /// over.
    pub steps: Vec<Step>,
    /// What must hold when the last step is over.
    pub asserts: Vec<Assert>,
    /// All on, but for those that `[weaken]` switches off.
    pub protections: Protections,
    /// The names of those, as they stand in the file.
    pub weakened: Vec<String>,
}

/// How large a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Size {
    /// Minutes on two cores.
    #[default]
    Ci,
    /// A coffee break on a workstation.
    Dev,
    /// The real figures.
    Full,
}

/// A SIM of the lab, as an index into [`Lab::sims`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SimRef(pub usize);

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// The step's line in its file, for messages.
    pub line: usize,
    /// What the timeline calls it.
    pub title: Option<String>,
    /// When it starts at the earliest, from the start of the run.
    pub at: Duration,
    /// How long it may take; what has not come by then counts as not answered.
    pub within: Duration,
    /// What is done.
    pub action: Action,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Switch UEs on and let them attach.
    Attach {
        /// The UEs.
        ues: Vec<SimRef>,
        /// The access point that they ask for, instead of the default one.
        apn: Option<Apn>,
        /// They start evenly over this time.
        spread: Duration,
        /// What the network must say.
        expect: AttachExpect,
    },
    /// Switch UEs off and on again, and let them attach, so many times.
    Reattach {
        /// The UEs.
        ues: Vec<SimRef>,
        /// How often.
        times: u32,
        /// What the network must say each time.
        expect: AttachExpect,
    },
    /// Detach UEs.
    Detach {
        /// The UEs.
        ues: Vec<SimRef>,
        /// Whether it is because of power-off, which nobody answers.
        switch_off: bool,
    },
    /// Fetch a page; *answered* means status 200 and the hash of the segment's own page.
    HttpGet {
        /// The UEs.
        ues: Vec<SimRef>,
        /// From where.
        host: Destination,
        /// The path, with its leading slash.
        path: String,
        /// What must come of it.
        expect: Expect,
    },
    /// Fetch a file; *answered* means every octet and the right hash.
    FileGet {
        /// The UEs.
        ues: Vec<SimRef>,
        /// From where.
        host: Destination,
        /// Its size, octets.
        size: u64,
        /// What must come of it.
        expect: Expect,
    },
    /// Send ICMP echo requests, one a second.
    Ping {
        /// The UEs.
        ues: Vec<SimRef>,
        /// To where.
        to: Destination,
        /// How many.
        count: u32,
        /// What must come of each.
        expect: Expect,
    },
    /// Ask the access point's DNS server for a name.
    Dns {
        /// The UEs.
        ues: Vec<SimRef>,
        /// The name.
        name: String,
        /// What must come of it.
        expect: Expect,
    },
    /// Try every destination over every protocol.
    Probe {
        /// The UEs.
        ues: Vec<SimRef>,
        /// Where to.
        to: Vec<Destination>,
        /// How.
        over: Vec<Via>,
        /// What must come of every one.
        expect: Expect,
    },
    /// Start a steady stream of UDP echo probes.
    ProbeStart {
        /// The UEs.
        ues: Vec<SimRef>,
        /// Where to.
        to: Destination,
        /// The interval.
        every: Duration,
    },
    /// Stop the streams of these UEs.
    ProbeStop {
        /// The UEs.
        ues: Vec<SimRef>,
    },
    /// Have the operator act on SIMs through the HSS.
    Operate {
        /// The SIMs.
        ues: Vec<SimRef>,
        /// What is done to them.
        verb: Verb,
        /// Why, for the audit log.
        reason: String,
        /// Who, for the audit log.
        actor: String,
    },
    /// Let time pass.
    Wait {
        /// How much.
        time: Duration,
    },
    /// Check something now instead of at the end.
    Expect(Assert),
    /// Kill a node; its disk keeps what was synced.
    Crash(NodeName),
    /// Start a killed node again with its disk.
    Restart(NodeName),
    /// Change how a link behaves.
    Link {
        /// Which one.
        link: LinkName,
        /// How.
        rule: LinkRule,
    },
}

/// What an attach must come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachExpect {
    /// Accepted, with an address.
    Accepted,
    /// Refused, by either side.
    Rejected {
        /// With this cause, whoever said it.
        cause: Option<Cause>,
        /// In a message with (or without) integrity protection.
        protected: Option<bool>,
    },
    /// Either will do.
    Any,
}

/// A NAS cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Of mobility management, TS 24.301 §9.9.3.9.
    Emm(u8),
    /// Of session management, TS 24.301 §9.9.4.4.
    Esm(u8),
}

/// What a transaction of a UE must come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The right answer came.
    Answered,
    /// No answer came, or a refusal did.
    Refused,
    /// Either will do.
    Any,
}

/// Where a UE's packets go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// `intranet`: the first host of the UE's own tenant.
    Intranet,
    /// `host:NAME`: a host of the UE's own tenant.
    Host(String),
    /// `tenant:NAME`: every host of that tenant.
    Tenant(String),
    /// `other_tenants`: every host of every other tenant whose address the own tenant lacks.
    OtherTenants,
    /// `ue:NAME`: the address of that UE, if it has one.
    Ue(SimRef),
    /// `neighbour`: the next UE of the same tenant.
    Neighbour,
    /// `core`: the addresses of the core's own nodes.
    Core,
    /// `outside`: addresses of the Internet, for which the sentinel answers.
    Outside,
    /// `ADDRESS` or `ADDRESS:PORT`.
    Address {
        /// The address.
        address: IpAddr,
        /// The port, where the protocol has one.
        port: Option<u16>,
    },
}

/// How a probe is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// `icmp`: an echo request.
    Icmp,
    /// `tcp:PORT`: a connection.
    Tcp(u16),
    /// `udp:PORT`: a datagram.
    Udp(u16),
}

/// What an operator does to a SIM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Lost or stolen: cut now, refuse until resumed.
    Suspend,
    /// Cut now, refuse for the time being.
    Pause,
    /// Lift a suspension or a pause.
    Resume,
    /// End the subscription.
    Terminate,
    /// End the session; the SIM may come back at once.
    DeleteSession,
    /// Leave the session and the tenant's quarantine prefixes, and nothing else.
    Isolate,
    /// End an isolation.
    Release,
    /// Cut at the gateway alone, as when the HSS is down.
    EmergencyCut,
}

/// A node that can be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeName {
    /// The HSS.
    Hss,
    /// MME and SGW.
    Mme,
    /// The PGW with its segments.
    Pgw,
}

/// A change of a link.
#[derive(Clone, Debug, PartialEq)]
pub enum LinkRule {
    /// From now on, every message.
    Quality(Quality),
    /// Nothing crosses until healed.
    Partition,
    /// Perfect again; forgets every rule.
    Heal,
    /// One message by name, counted from now.
    Nth {
        /// The message's name, such as `CreateSessionResponse`.
        message: String,
        /// Which one, from 1.
        nth: u32,
        /// What happens to it.
        fate: Fate,
    },
}

/// What happens to one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is lost.
    Drop,
    /// It comes twice.
    Duplicate,
    /// It comes this much later.
    Delay(Duration),
}

/// A statement about the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Assert {
    /// The assertion's line in its file, for messages.
    pub line: usize,
    /// What reports call it.
    pub name: String,
    /// What is looked at.
    pub figure: Figure,
    /// How it is compared.
    pub op: Op,
    /// With what.
    pub value: Value,
    /// Whether it is a positive control: when it fails, the verdict is *inconclusive*.
    pub control: bool,
}

/// What an assertion looks at. Without `ue`, `tenant` or the like a figure covers the whole run.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// `attached`: UEs attached at this moment. A count.
    Attached {
        /// Only of this tenant.
        tenant: Option<String>,
    },
    /// `attach_rejects`: attach attempts that were refused. A count.
    AttachRejects {
        /// Only of these UEs.
        ues: Option<Vec<SimRef>>,
    },
    /// `reject_cause`: the cause of the last refused attach. A cause.
    RejectCause {
        /// The UE.
        ue: SimRef,
    },
    /// `reject_protected`: whether that refusal was integrity-protected. True or false.
    RejectProtected {
        /// The UE.
        ue: SimRef,
    },
    /// `address`: the UE's address at this moment. An address.
    Address {
        /// The UE.
        ue: SimRef,
    },
    /// `time_to_cut.uplink`, `time_to_cut.downlink`: t5 - t0 of the last cut. A time.
    TimeToCut {
        /// The SIM.
        ue: SimRef,
        /// Which way.
        direction: Direction,
    },
    /// `time_to_cut.probe`: from t0 to the last answer to a probe stream. A time.
    ProbeTimeToCut {
        /// The SIM.
        ue: SimRef,
    },
    /// `packets_after_cut`: packets of the SIM that were forwarded after t5. A count.
    PacketsAfterCut {
        /// The SIM.
        ue: SimRef,
    },
    /// `probes.answered`: probes that were answered. A count.
    ProbesAnswered {
        /// Only from these UEs.
        ues: Option<Vec<SimRef>>,
        /// Only to this destination, written as in the step.
        to: Option<Destination>,
    },
    /// `probes.refused`: probes that were not. A count.
    ProbesRefused {
        /// Only from these UEs.
        ues: Option<Vec<SimRef>>,
        /// Only to this destination, written as in the step.
        to: Option<Destination>,
    },
    /// `probes.unexplained`: refused probes without a reason and a counter at the gateway. A
    /// count.
    ProbesUnexplained,
    /// `transfers.intact`: pages and files that came with the right hash. A count.
    TransfersIntact {
        /// Only of this tenant.
        tenant: Option<String>,
    },
    /// `transfers.corrupt`: pages and files that came with another hash. A count.
    TransfersCorrupt,
    /// `sentinel.packets`: packets that reached the sentinel. A count.
    SentinelPackets {
        /// Only of this tenant.
        tenant: Option<String>,
    },
    /// `drops`: packets that the gateway dropped. A count.
    Drops {
        /// Only for this reason, by the counter's name.
        reason: Option<String>,
        /// Only of this tenant.
        tenant: Option<String>,
    },
    /// `events`: events of one kind. A count.
    Events {
        /// The event's name.
        event: String,
    },
}

/// Uplink or downlink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the UE.
    Uplink,
    /// To the UE.
    Downlink,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

/// The value that a figure is compared with; its kind follows from the figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A count.
    Count(u64),
    /// A time.
    Time(Duration),
    /// A NAS cause.
    Cause(Cause),
    /// True or false.
    Flag(bool),
    /// An address.
    Address(IpAddr),
}
