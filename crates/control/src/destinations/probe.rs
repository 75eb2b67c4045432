//! Tries a destination out: writes a probe beside the real location, reads it back, and takes it away again.

use super::trouble::DestinationError;
use super::{Parcel, in_time, is_readable, location, read_at, remove_at, write_at};
use crate::Control;
use louver_domain::secret::Secret;
use louver_store::secret_destinations::SecretDestination;
use std::fmt::Write as _;

const BESIDE: &str = "-louver-probe";
/// The key that a probe stands for.
const KEY: &str = "key_00000000000000000000000000000000";

/// What came of one step.
pub enum Outcome {
    /// It worked.
    Done,
    /// It did not.
    Failed(DestinationError),
    /// It was not tried, for that reason.
    Skipped(&'static str),
}

/// A step with its outcome.
pub struct Step {
    /// `write`, `read` or `remove`.
    pub name: &'static str,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a probe.
pub struct Probed {
    /// Where it was written, where the kind has places.
    pub location: Option<String>,
    /// The steps in their order.
    pub steps: Vec<Step>,
}

impl Probed {
    /// Whether secrets can be written there, and read where that is possible.
    pub fn works(&self) -> bool {
        !self.steps.iter().any(|step| step.name != REMOVE && matches!(step.outcome, Outcome::Failed(_)))
    }
}

const WRITE: &str = "write";
const READ: &str = "read";
const REMOVE: &str = "remove";

const NOT_WRITTEN: Outcome = Outcome::Skipped("nothing was written");

/// Tries a destination, enabled or not, for keys of a workspace of that name. Nothing but the destination says where to.
pub async fn probe(control: &Control, destination: &SecretDestination, workspace: &str) -> Probed {
    let mut random = [0; 16];
    control.entropy.fill(&mut random);
    let random = random.iter().fold(String::new(), |mut text, byte| {
        // Writing into a string does not fail.
        let _written = write!(text, "{byte:02x}");
        text
    });
    let secret = Secret::new(format!("louver-probe-{random}"));
    let parcel = Parcel {
        key: KEY,
        name: "probe",
        workspace,
        rotation: &random,
        secret: &secret,
        created_at: control.clock.now(),
    };
    let place = beside(destination, &parcel);
    let place = match place {
        Ok(place) => place,
        Err(error) => {
            let write = Step { name: WRITE, outcome: Outcome::Failed(error) };
            let rest = [READ, REMOVE].map(|name| Step { name, outcome: NOT_WRITTEN });
            return Probed { location: None, steps: [write].into_iter().chain(rest).collect() };
        }
    };
    let steps = steps(control, destination, &parcel, place.as_deref().unwrap_or_default()).await;
    Probed { location: place, steps }
}

fn beside(destination: &SecretDestination, parcel: &Parcel<'_>) -> Result<Option<String>, DestinationError> {
    let Some(mut place) = location(destination, &parcel.whose())? else { return Ok(None) };
    place.push_str(BESIDE);
    let alphabet = destination.settings.location().map(|(_, alphabet)| alphabet);
    let fits = alphabet.map_or(Ok(()), |alphabet| alphabet.check(&place));
    fits.map_err(|sentence| {
        DestinationError::Unfit(louver_domain::secret_destinations::Unfit::Whole(sentence))
    })?;
    Ok(Some(place))
}

async fn steps(
    control: &Control,
    destination: &SecretDestination,
    parcel: &Parcel<'_>,
    place: &str,
) -> Vec<Step> {
    let written = in_time(write_at(control, destination, parcel, place)).await;
    let wrote = written.is_ok();
    let write = Step { name: WRITE, outcome: written.map_or_else(Outcome::Failed, |_| Outcome::Done) };
    let (read, remove) = if wrote {
        (read_back(control, destination, parcel, place).await, take_away(control, destination, place).await)
    } else {
        (NOT_WRITTEN, NOT_WRITTEN)
    };
    vec![write, Step { name: READ, outcome: read }, Step { name: REMOVE, outcome: remove }]
}

async fn read_back(
    control: &Control,
    destination: &SecretDestination,
    parcel: &Parcel<'_>,
    place: &str,
) -> Outcome {
    if !is_readable(destination) {
        return Outcome::Skipped("this kind cannot be read back");
    }
    match in_time(read_at(control, destination, place)).await {
        Ok(Some(there)) if there.expose() == parcel.secret.expose() => Outcome::Done,
        Ok(_) => Outcome::Failed(DestinationError::Refused("what was written is not what is there")),
        Err(error) => Outcome::Failed(error),
    }
}

async fn take_away(control: &Control, destination: &SecretDestination, place: &str) -> Outcome {
    match in_time(remove_at(control, destination, place)).await {
        Ok(true) => Outcome::Done,
        Ok(false) => Outcome::Skipped("this kind cannot take it away; it is overwritten by the next test"),
        Err(error) => Outcome::Failed(error),
    }
}
