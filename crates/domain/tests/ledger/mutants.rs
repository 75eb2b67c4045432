//! Broken glue: each mutant breaks one rule, and the machine must find it.

/// One broken rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// The store hears of a return while the node may still spend it.
    ReturnBeforeLetGo,
    /// A return that comes twice counts twice.
    ReturnCountsTwice,
    /// A node takes an answer in hand without regard to what of it is in hand already.
    GrowthTakenTwice,
    /// A refusal leaves the number free: a late return counts after the node took back what it returned.
    RefusalTakesNoNumber,
    /// An answer for a lease that was let go of meanwhile makes it the current one again, as if it were new.
    AnswerRevivesLease,
    /// What is not known is charged at nothing.
    UnknownIsFree,
    /// A call keeps its share of one budget although another had not enough.
    HalfAReservation,
    /// A lease is closed with calls on it.
    ClosedInFlight,
    /// The open calls of a dead process are not charged.
    OpenCallsForgotten,
    /// After a power failure leases are closed as if the journal were whole.
    JournalBelievedAfterPowerLoss,
    /// An entry that comes twice counts twice.
    EntryCountsTwice,
    /// Only entries that are overruns themselves go through the account: what later ones use beyond a lease does not.
    UseBeyondTheLeaseIsPlain,
    /// An answer that was decided before an overrun lets the node go on.
    AnswerForgetsOverrun,
    /// A limit that was gone for a moment stays gone on the node.
    LiftedForGood,
    /// A lease of the period before is answered, or grown, as one of the new period.
    OldLeaseForNewPeriod,
}

impl Mutant {
    pub const ALL: [Self; 15] = [
        Self::ReturnBeforeLetGo,
        Self::ReturnCountsTwice,
        Self::GrowthTakenTwice,
        Self::RefusalTakesNoNumber,
        Self::AnswerRevivesLease,
        Self::UnknownIsFree,
        Self::HalfAReservation,
        Self::ClosedInFlight,
        Self::OpenCallsForgotten,
        Self::JournalBelievedAfterPowerLoss,
        Self::EntryCountsTwice,
        Self::UseBeyondTheLeaseIsPlain,
        Self::AnswerForgetsOverrun,
        Self::LiftedForGood,
        Self::OldLeaseForNewPeriod,
    ];
}
