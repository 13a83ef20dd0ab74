//! What an examination found: kind, meaning, advice. The names are stable: scripts compare them.

use serde::Serialize;

use crate::names::names;

names! {
    /// How serious a finding is.
    #[derive(PartialOrd, Ord)]
    pub enum FindingLevel {
        /// It is worth knowing, and nothing has to be done.
        Note = "note",
        /// Nothing fails now, but something may.
        Warning = "warning",
        /// Clients fail, or reach brokers without kproxy.
        Fault = "fault",
    }
}

/// A finding. `step` is the place of its step among those of the examination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoctorFinding {
    /// Kind of the finding.
    pub kind: FindingKind,
    /// Place of the step that showed it.
    pub step: Option<usize>,
    /// What the finding is about.
    pub subject: String,
    /// What was found, in a sentence.
    pub what: String,
}

/// Declares the kinds of findings with their levels, meanings and advice.
macro_rules! findings {
    ($($variant:ident = $name:literal, $level:ident, $means:literal, $advice:literal;)*) => {
        names! {
            /// Kind of a finding.
            pub enum FindingKind {
                $(#[doc = $means] $variant = $name,)*
            }
        }

        impl FindingKind {
            /// Returns how serious it is.
            pub const fn level(self) -> FindingLevel {
                match self { $(Self::$variant => FindingLevel::$level,)* }
            }

            /// Returns what it means for clients.
            pub const fn means(self) -> &'static str {
                match self { $(Self::$variant => $means,)* }
            }

            /// Returns what can be done.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice,)* }
            }
        }
    };
}

findings! {
    LeadsPastProxy = "leads_past_proxy", Fault,
        "Clients that use this address reach the broker without kproxy.",
        "Point clients at kproxy's bootstrap address, and let nothing else rewrite answers; if this address is kproxy's, \
         report a defect.";
    AddressUnexpected = "address_unexpected", Fault,
        "Clients are told an address that is none of the gateway's.",
        "Check that the bootstrap address leads to this kproxy with this configuration, and to no other proxy or broker.";
    AddressUnusable = "address_unusable", Fault,
        "Clients cannot connect to this node: its address is empty or has no valid port.",
        "Check `advertised.listeners` of the broker and the gateway's address patterns.";
    NodeWithheld = "node_withheld", Fault,
        "Clients never learn of this broker, so its partitions cannot be used.",
        "Widen `nodeIdRanges`, or give the gateway `dynamicNodePorts`.";
    NodeUnknown = "node_unknown", Warning,
        "Clients are told of a node that the target cluster does not name.",
        "If the broker was removed just now, look again in a minute; otherwise check which cluster the target is.";
    NoNodes = "no_nodes", Fault,
        "Clients are told of no node at all, so they can use no topic.",
        "Look at `kproxy status --nodes`, and at the target cluster itself.";
    NodeSwapped = "node_swapped", Fault,
        "The address of this node leads to another broker: requests fail, and new clients start over again and again.",
        "Check what stands between clients and kproxy: a load balancer must lead each port to the same port of kproxy.";
    OtherCluster = "other_cluster", Fault,
        "This address leads to another Kafka cluster.",
        "Check DNS, load balancers, and `bootstrapServers` of the target.";
    LeadsElsewhere = "leads_elsewhere", Warning,
        "The name of this node leads to another machine than the bootstrap name.",
        "Check DNS: unless kproxy or its load balancer is at both addresses, clients fail there.";
    NameUnresolved = "name_unresolved", Fault,
        "Clients cannot connect: the name has no address.",
        "Add the name to DNS, or advertise a name that exists.";
    Unreachable = "unreachable", Fault,
        "Clients cannot connect to this address.",
        "Check that kproxy runs and listens there, and that firewalls and load balancers let the port through.";
    NoAnswer = "no_answer", Fault,
        "Clients wait for an answer and get none in time.",
        "Look at `kproxy status` for the brokers of the target; a larger `--timeout` waits longer.";
    ConnectionClosed = "connection_closed", Fault,
        "Clients are disconnected.",
        "Look at kproxy's log for the cause of the session's end; if the port speaks TLS, give `--tls`.";
    NotKafka = "not_kafka", Fault,
        "What answers at this address is not Kafka.",
        "Check that the port is that of the gateway; if it speaks TLS, give `--tls`.";
    TlsFailed = "tls_failed", Fault,
        "Clients cannot complete the TLS handshake.",
        "Check `tls` of the gateway, whether the port speaks TLS at all, and whether it asks for a certificate (`--cert`, \
         `--key`).";
    CertificateName = "certificate_name", Fault,
        "Clients that check names refuse the connection: the certificate does not cover this name.",
        "Issue a certificate for this name, or advertise a name that the certificate covers.";
    CertificateUntrusted = "certificate_untrusted", Fault,
        "Clients refuse the connection: the certificate is not issued under what they trust.",
        "Give the clients' trust store with `--ca`; if it was given, send the whole chain or renew the certificate.";
    CertificateOther = "certificate_other", Fault,
        "The certificate is not the one that the configuration file names.",
        "Check that this kproxy runs with this file (`kproxy status`), and that nothing in between ends TLS.";
    CertificateExpired = "certificate_expired", Fault,
        "Clients refuse the connection: the certificate has expired, or the clock of this machine is ahead.",
        "Renew the certificate; kproxy uses a renewed file without a restart.";
    CertificateNotYetValid = "certificate_not_yet_valid", Fault,
        "Clients refuse the connection: the certificate is not valid yet, or the clock of this machine is behind.",
        "Check the clock, and the time from which the certificate is valid.";
    CertificateExpires = "certificate_expires", Warning,
        "The certificate expires within 14 days.",
        "Renew it; kproxy uses a renewed file without a restart.";
    IssuerUnchecked = "issuer_unchecked", Note,
        "The issuer of the certificate was not checked, so that clients may refuse it all the same.",
        "Give the trust store of the clients with `--ca`.";
    LoginRequired = "login_required", Fault,
        "The cluster wants a login before it answers.",
        "Give `--sasl`, `--username` and `--password-file`.";
    LoginFailed = "login_failed", Fault,
        "Clients with these credentials cannot log in.",
        "Check user, password and mechanism at the target cluster; kproxy passes logins through.";
    PasswordReadable = "password_readable", Warning,
        "The password passes the network in clear.",
        "Use TLS, or a SCRAM mechanism.";
    IdentityUnknown = "identity_unknown", Note,
        "Whether the address of this node leads to the broker with this id could not be checked.",
        "Allow the user DescribeConfigs on the cluster, if this is to be checked.";
    CoordinatorMissing = "coordinator_missing", Warning,
        "Consumers cannot join a group as long as it has no coordinator.",
        "Look at the target cluster: its topic `__consumer_offsets` must be available.";
    RoundTripFailed = "round_trip_failed", Fault,
        "A record could not be written to the topic and read again.",
        "Check the topic, the rights of the user, and the leader of partition 0.";
    ClockDiffers = "clock_differs", Warning,
        "The clocks of this machine and of the broker differ.",
        "Synchronise both with a time server.";
    VersionsLimited = "versions_limited", Note,
        "Clients use older versions of these APIs than the target cluster offers, or cannot use the API through kproxy.",
        "Nothing; a newer kproxy may know them.";
    VersionUnknown = "version_unknown", Warning,
        "The server does not have the version that this step asks in, so that the step was left out.",
        "Nothing, if clients work; servers from Kafka 1.1 on have it.";
    TargetUnknown = "target_unknown", Note,
        "The target cluster could not be asked from here, so that its brokers were not compared with the nodes.",
        "Run the command where the brokers can be reached, to find withheld nodes and addresses that lead past kproxy.";
    AddressesUnjudged = "addresses_unjudged", Note,
        "Whether the addresses of the nodes are kproxy's is not known.",
        "Give the configuration file with `-c`, or a broker of the target cluster with `--target`.";
    NoProcess = "no_process", Note,
        "No kproxy answers on the control socket, so that only the machine was examined.",
        "Start kproxy, or name its socket with `--control` or its file with `-c` and `--machine`.";
    NotInSync = "not_in_sync", Warning,
        "What runs is not what the configuration file says.",
        "Look at `kproxy status` for the reason.";
    DescriptorsFew = "descriptors_few", Warning,
        "Clients beyond what the open files allow wait until others leave.",
        "Raise `LimitNOFILE` of the service, or `ulimit -n`.";
    InotifyExhausted = "inotify_exhausted", Warning,
        "Changes of files are seen only by comparing them from time to time (`reload.pollInterval`).",
        "Raise `fs.inotify.max_user_instances` and `fs.inotify.max_user_watches`.";
    PortEphemeral = "port_ephemeral", Warning,
        "The kernel may give these ports to outgoing connections; then kproxy cannot listen on them.",
        "Choose ports outside `net.ipv4.ip_local_port_range`, or list them in `net.ipv4.ip_local_reserved_ports`.";
    BacklogCut = "backlog_cut", Warning,
        "In a rush of new connections some wait a second and more for their repetition.",
        "Raise `net.core.somaxconn`.";
    SecretReadable = "secret_readable", Warning,
        "Every user of this machine can read this secret.",
        "`chmod 600`, or 640 with a group of its own.";
    SocketOpen = "socket_open", Fault,
        "Other users can reload and steer kproxy.",
        "`chmod 600`, and find out who changed it: kproxy creates it with mode 0600.";
    StateUnusable = "state_directory_unusable", Fault,
        "kproxy cannot remember anything between runs.",
        "Create the directory, and give it to the user of kproxy.";
    StateOpen = "state_directory_open", Warning,
        "Other users can change what kproxy remembers, such as the addresses of brokers.",
        "`chmod 700`.";
    DiskFull = "disk_full", Warning,
        "There is little space for what kproxy remembers.",
        "Make room on the disk of `stateDirectory`.";
    NameUnknown = "name_unknown", Warning,
        "The name has no address here: clients or kproxy cannot connect to it, unless they look it up elsewhere.",
        "Add the name to DNS, or correct the configuration.";
    NameSlow = "name_slow", Warning,
        "New connections wait for the name server.",
        "Look at the name server and at `/etc/resolv.conf`; `localhost` and names of this machine belong into `/etc/hosts`.";
    ClockUnsynchronised = "clock_unsynchronised", Warning,
        "Certificates are accepted and refused by a clock that may be wrong.",
        "Start a time service such as chrony or systemd-timesyncd.";
    StopTimeShort = "stop_time_short", Fault,
        "The supervisor kills kproxy before it has answered its clients.",
        "Raise `terminationGracePeriodSeconds` or `TimeoutStopSec`, or lower `network.proxy.shutdownTimeout` and `shutdownDelay`.";
    StopTimeUnknown = "stop_time_unknown", Note,
        "The time that a supervisor gives a stop was not compared with what kproxy may need.",
        "Give the manifest with `--manifest`, or the systemd unit with `--unit`.";
    StopCutsDrains = "stop_cuts_drains", Note,
        "A stop ends sessions earlier than a drain would.",
        "Raise `network.proxy.shutdownTimeout`, if drains need their time in a stop as well.";
    NotSeen = "not_seen", Note,
        "This could not be looked at from here.",
        "Run the command as the user of kproxy, on its machine.";
    OutOfTime = "out_of_time", Fault,
        "The time for the whole examination was over before this step.",
        "Give more time with `--total-timeout`.";
}

impl Serialize for DoctorFinding {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut fields = serializer.serialize_struct("DoctorFinding", 6)?;
        fields.serialize_field("level", &self.kind.level())?;
        fields.serialize_field("finding", &self.kind)?;
        fields.serialize_field("subject", &self.subject)?;
        fields.serialize_field("what", &self.what)?;
        fields.serialize_field("means", self.kind.means())?;
        fields.serialize_field("advice", self.kind.advice())?;
        fields.end()
    }
}
