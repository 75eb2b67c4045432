//! How a conversation grows: by the most that a call could add before it is sent, and back to what it added when it has
//! ended. Who is killed between leaves it too large, which costs nobody anything but room.

use super::Turn;
use crate::pipeline::{Gateway, Visitor};
use crate::references::intended;
use crate::reply::Failure;
use crate::snapshot::KeyEntry;
use louver_domain::id::{ObjectId, UpstreamId};
use louver_domain::objects::ObjectKind;
use louver_domain::settlement::{Charge, Why};
use louver_mistral::request::Request;
use louver_store::Store;
use louver_store::objects;

/// What a call adds to a conversation.
#[derive(Clone, Debug)]
pub(crate) struct Growth {
    /// The conversation here.
    object: ObjectId,
    /// Tokens of input at most that the request puts in.
    input: u64,
    /// All that was added ahead.
    most: u64,
    /// Whether upstream may put in what tools found.
    tools: bool,
    /// What a new conversation is to be known by, until it is there.
    pub(super) begins: Option<String>,
}

/// What is to be done with a conversation when its call has ended.
#[derive(Debug)]
pub(crate) struct After {
    object: ObjectId,
    back: u64,
    withdraw: bool,
}

/// What a call may use at most, as far as a conversation grows by it.
pub(crate) struct Most {
    pub(crate) output: u64,
    pub(crate) context: u64,
}

impl Turn {
    /// Lets the conversation grow by the most that the call could add, and puts what it is then into the request's input.
    /// A conversation that begins is written down.
    pub(crate) async fn grow(
        &self,
        gateway: &Gateway,
        visitor: &Visitor,
        key: &KeyEntry,
        request: &mut Request,
        most: &Most,
        credential: Option<UpstreamId>,
    ) -> Result<Option<Growth>, Failure> {
        let input = request.input_token_bound();
        let tools = !request.provider_tools.is_empty();
        let added = input.saturating_add(most.output).saturating_add(if tools { most.context } else { 0 });
        let more = i64::try_from(added).unwrap_or(i64::MAX);
        let mut growth =
            Growth { object: ObjectId::from_bytes([0; 16]), input, most: added, tools, begins: None };
        let store = gateway.store();
        let mut history = 0;
        if let Some(old) = &self.conversation {
            let begins = self.begins.is_some();
            let sum = objects::add_tokens(store, old.id, if begins { 0 } else { more }).await;
            let sum = sum.map_err(Failure::store)?;
            history = if begins { sum } else { sum.saturating_sub(added) };
            growth.object = old.id;
        }
        request.added_tokens = request.added_tokens.saturating_add(history);
        if let Some(known) = &self.begins {
            let mut object = intended(key, visitor, ObjectKind::Conversation, credential);
            object.tokens = i64::try_from(history.saturating_add(added))
                .map_or(i64::MAX.unsigned_abs(), i64::unsigned_abs);
            growth.object = object.id;
            growth.begins = Some(known.written());
            objects::intend(store, &object).await.map_err(Failure::store)?;
        }
        Ok((self.conversation.is_some() || self.begins.is_some()).then_some(growth))
    }
}

impl Growth {
    /// The conversation that begins.
    pub(super) const fn object(&self) -> ObjectId {
        self.object
    }

    /// Nothing was sent.
    pub(crate) const fn undone(&self) -> After {
        After { object: self.object, back: self.most, withdraw: self.begins.is_some() }
    }

    /// The call has ended with that charge; `answered` is the status of upstream's answer.
    pub(crate) fn after(&self, charge: &Charge, unsent: bool, answered: u16) -> After {
        if unsent || (400..500).contains(&answered) {
            return self.undone();
        }
        let input = if self.tools { charge.tokens.input } else { self.input.min(charge.tokens.input) };
        let used = match charge.why {
            Why::Metered | Why::Overrun => input.saturating_add(charge.tokens.output),
            // Whoever does not say what it did may have kept everything.
            Why::Unknown | Why::Absurd | Why::Void | Why::Ahead => self.most,
        };
        After { object: self.object, back: self.most.saturating_sub(used), withdraw: false }
    }
}

impl After {
    /// Does it.
    pub(crate) async fn done(&self, store: &Store) {
        let done = if self.withdraw {
            objects::withdraw(store, self.object).await
        } else if self.back > 0 {
            let back = i64::try_from(self.back).unwrap_or(i64::MAX).saturating_neg();
            objects::add_tokens(store, self.object, back).await.map(|_| ())
        } else {
            Ok(())
        };
        if let Err(error) = done {
            tracing::warn!(%error, object = %self.object, "a conversation stays larger than it is");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use louver_domain::money::Money;
    use louver_domain::prices::Terms;
    use louver_domain::usage::{Tokens, Units};

    fn back(tools: bool, why: Why, tokens: (u64, u64), unsent: bool, answered: u16) -> (u64, bool) {
        let object = ObjectId::from_bytes([1; 16]);
        let growth = Growth { object, input: 100, most: 150, tools, begins: Some("{}".into()) };
        let tokens = Tokens { input: tokens.0, cached: 0, output: tokens.1 };
        let charge =
            Charge { tokens, units: Units::default(), terms: Terms::default(), cost: Money::ZERO, why };
        let after = growth.after(&charge, unsent, answered);
        (after.back, after.withdraw)
    }

    #[test]
    fn only_what_was_surely_not_added_comes_back() {
        assert_eq!(back(false, Why::Metered, (500, 20), false, 200), (30, false), "no more than was put in");
        assert_eq!(back(false, Why::Metered, (40, 20), false, 200), (90, false));
        assert_eq!(back(true, Why::Metered, (110, 20), false, 200), (20, false), "tools put in as well");
        assert_eq!(back(true, Why::Overrun, (900, 20), false, 200), (0, false));
        for why in [Why::Unknown, Why::Absurd, Why::Ahead] {
            assert_eq!(back(false, why, (100, 50), false, 200), (0, false));
        }
        assert_eq!(back(false, Why::Void, (0, 0), false, 503), (0, false), "it may have been kept");
        assert_eq!(back(false, Why::Void, (0, 0), false, 400), (150, true));
        assert_eq!(back(false, Why::Void, (0, 0), true, 502), (150, true), "nothing was sent");
    }
}
