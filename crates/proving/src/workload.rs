//! What many clients are going to ask, worked out from a seed.

use crate::random::Random;
use louver_domain::prices::Price;
use louver_domain::usage::Tokens;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// In which way a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// A chat with a whole answer.
    Whole,
    /// A chat with a streamed answer.
    Streamed,
    /// A chat that names no `max_tokens`.
    NoMaximum,
    /// A fill-in-the-middle call.
    Fim,
    /// An embeddings call.
    Embeddings,
    /// A streamed chat whose client leaves after some bytes of the answer.
    Abandoned,
    /// A chat whose client sends some or all of it and leaves before the head of an answer.
    Dropped,
}

/// What the simulator does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It refuses with 429.
    TooMany,
    /// It refuses with 500.
    Internal,
    /// It works and never answers.
    Hang,
    /// It falls silent in the middle.
    Silence,
    /// It cuts the connection in the middle.
    Reset,
    /// It ends a stream early, as if all had been said.
    Short,
    /// It does not say what it used.
    NoUsage,
    /// It says that it used less than nothing.
    Negative,
    /// It says that it used more than any model can.
    Absurd,
    /// It says two different things about what it used.
    Twice,
    /// It answers neither JSON nor events.
    Garbage,
    /// It puts an error under the status 200.
    Error,
}

impl Trouble {
    /// As the simulator is told, in `metadata.simulator`.
    fn directions(self, after: u64) -> Value {
        const ABSURD: i64 = 1_000_000_000_000_000;
        match self {
            Self::TooMany => json!({"fault": "status", "status": 429, "retry_after": 1}),
            Self::Internal => json!({"fault": "status", "status": 500}),
            Self::Hang => json!({"fault": "hang"}),
            Self::Silence => json!({"fault": "hang_after", "after": after}),
            Self::Reset => json!({"fault": "reset_after", "after": after}),
            Self::Short => json!({"fault": "end_after", "after": after}),
            Self::NoUsage => json!({"fault": "no_usage"}),
            Self::Negative => json!({"fault": "wrong_usage", "prompt": -5, "completion": -7, "total": -12}),
            Self::Absurd => {
                json!({"fault": "wrong_usage", "prompt": ABSURD, "completion": ABSURD, "total": 2 * ABSURD})
            }
            Self::Twice => json!({"fault": "two_usages"}),
            Self::Garbage => json!({"fault": "garbage"}),
            Self::Error => json!({"fault": "error_in_stream", "after": after}),
        }
    }
}

/// What calls are made of.
#[derive(Clone, Debug)]
pub struct Mix {
    /// Manners, by weight.
    pub manners: Vec<(Manner, u64)>,
    /// How many calls of a thousand meet trouble.
    pub troubled_per_mille: u64,
    /// Troubles, by weight.
    pub troubles: Vec<(Trouble, u64)>,
    /// Models of chats, by weight.
    pub models: Vec<(&'static str, u64)>,
    /// Tokens of an answer, from and to.
    pub tokens: (u64, u64),
    /// By how many tokens `max_tokens` is more than the answer at most.
    pub slack: u64,
}

impl Mix {
    /// Calls whose bill is close to their bound, so that a budget can be used to its last cents, also by clients that
    /// are cut off.
    pub fn exact() -> Self {
        Self {
            manners: vec![(Manner::Whole, 3), (Manner::Streamed, 1)],
            troubled_per_mille: 0,
            troubles: Vec::new(),
            models: vec![("mistral-small-latest", 1)],
            tokens: (400, 600),
            slack: 0,
        }
    }

    /// Everything that a client or upstream may do.
    pub fn wild() -> Self {
        use Trouble::*;
        Self {
            manners: vec![
                (Manner::Whole, 40),
                (Manner::Streamed, 25),
                (Manner::NoMaximum, 3),
                (Manner::Fim, 8),
                (Manner::Embeddings, 8),
                (Manner::Abandoned, 8),
                (Manner::Dropped, 8),
            ],
            troubled_per_mille: 80,
            troubles: vec![
                (TooMany, 4),
                (Internal, 4),
                (Hang, 1),
                (Silence, 1),
                (Reset, 4),
                (Short, 2),
                (NoUsage, 4),
                (Negative, 3),
                (Absurd, 3),
                (Twice, 3),
                (Garbage, 3),
                (Error, 3),
            ],
            models: vec![("mistral-small-latest", 5), ("mistral-large-latest", 2), ("codestral-latest", 2)],
            tokens: (1, 80),
            slack: 40,
        }
    }
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Whose key makes it: a place in the list of accounts.
    pub account: usize,
    /// How it is made.
    pub manner: Manner,
    /// What upstream does wrong.
    pub trouble: Option<Trouble>,
    /// The model it names.
    pub model: &'static str,
    /// Words of the prompt.
    pub words: u64,
    /// Tokens of each answer.
    pub tokens: u64,
    /// `max_tokens`, where it names any.
    pub maximum: Option<u64>,
    /// How many answers.
    pub choices: u64,
    /// After how much it breaks off: events of upstream's answer, or parts in a hundred of a request.
    pub after: u64,
}

/// The calls of one client.
pub struct Calls {
    random: Random,
    mix: Mix,
    accounts: u64,
    left: u64,
}

impl Calls {
    /// So many calls of the client of that number, with keys of so many accounts.
    pub fn new(seed: u64, client: u64, mix: &Mix, accounts: usize, calls: u64) -> Self {
        Self { random: Random::of(&[seed, client]), mix: mix.clone(), accounts: accounts as u64, left: calls }
    }
}

impl Iterator for Calls {
    type Item = Call;

    fn next(&mut self) -> Option<Call> {
        self.left = self.left.checked_sub(1)?;
        let (random, mix) = (&mut self.random, &self.mix);
        let manner = random.weighed(&mix.manners);
        let troubled = random.happens(mix.troubled_per_mille) && manner != Manner::Dropped;
        let trouble = troubled.then(|| random.weighed(&mix.troubles));
        let chat = random.weighed(&mix.models);
        let model = match manner {
            Manner::Embeddings => "mistral-embed",
            Manner::Fim => "codestral-latest",
            _ => chat,
        };
        let tokens = random.between(mix.tokens.0, mix.tokens.1);
        let maximum = (!matches!(manner, Manner::NoMaximum | Manner::Embeddings))
            .then(|| tokens + random.between(0, mix.slack));
        let several = mix.slack > 0 && manner == Manner::Whole && random.happens(100);
        Some(Call {
            account: usize::try_from(random.below(self.accounts)).unwrap(),
            manner,
            trouble,
            model,
            words: random.between(1, 30),
            tokens,
            maximum,
            choices: if several { 3 } else { 1 },
            after: random.between(0, 100),
        })
    }
}

/// Into how many events an answer is cut at most; more would only take time.
const CHUNKS: u64 = 12;

impl Call {
    /// Where it is sent.
    pub const fn path(&self) -> &'static str {
        match self.manner {
            Manner::Embeddings => "/v1/embeddings",
            Manner::Fim => "/v1/fim/completions",
            _ => "/v1/chat/completions",
        }
    }

    /// Whether a stream is asked for.
    pub const fn streams(&self) -> bool {
        matches!(self.manner, Manner::Streamed | Manner::Abandoned)
    }

    /// What is sent; its bill goes to the account of that name in the simulator's books.
    pub fn body(&self, account: &str) -> Vec<u8> {
        let prompt = vec!["a"; usize::try_from(self.words).unwrap()].join(" ");
        let mut directions = json!({"account": account, "tokens": self.tokens});
        if self.streams() {
            directions["chunks"] = json!(self.tokens.clamp(1, CHUNKS));
        }
        if let Some(trouble) = self.trouble {
            let fault = trouble.directions(self.after % (CHUNKS + 2));
            directions.as_object_mut().unwrap().extend(fault.as_object().unwrap().clone());
        }
        let mut body = match self.manner {
            Manner::Embeddings => json!({"input": [prompt]}),
            Manner::Fim => json!({"prompt": prompt, "suffix": "b"}),
            _ => json!({"messages": [{"role": "user", "content": prompt}], "stream": self.streams()}),
        };
        body["model"] = json!(self.model);
        body["metadata"] = json!({"simulator": directions});
        if let Some(maximum) = self.maximum {
            body["max_tokens"] = json!(maximum);
        }
        if self.choices > 1 {
            body["n"] = json!(self.choices);
        }
        body.to_string().into_bytes()
    }

    /// More than any reasonable bound of it, in tokens of input and output: every byte sent a token, and all the output
    /// that the model may give where the call sets no maximum.
    pub fn most(&self, sent: usize, context: u64) -> Tokens {
        let output = match (self.manner, self.maximum) {
            (Manner::Embeddings, _) => 0,
            (_, Some(maximum)) => maximum * self.choices,
            (_, None) => context,
        };
        Tokens { input: sent as u64, cached: 0, output }
    }
}

/// What the models of the catalogue cost now and how much they can read, by each of their names.
pub struct PriceList(BTreeMap<String, (Price, u64)>);

impl PriceList {
    /// That of the catalogue that comes with the program.
    pub fn builtin() -> Self {
        let mut list = BTreeMap::new();
        for entry in louver_store::models::builtin().unwrap().models {
            let price = entry.prices.last().expect("a model has a price").clone();
            for name in std::iter::once(&entry.model.id).chain(&entry.model.aliases) {
                list.insert(name.clone(), (price.clone(), entry.model.context));
            }
        }
        Self(list)
    }

    /// The price of a model.
    pub fn price(&self, model: &str) -> &Price {
        &self.0[model].0
    }

    /// How many tokens a model can have in all.
    pub fn context(&self, model: &str) -> u64 {
        self.0[model].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_plan() {
        let calls = |seed, client| Calls::new(seed, client, &Mix::wild(), 3, 400).collect::<Vec<_>>();
        assert_eq!(calls(42, 0), calls(42, 0));
        assert_ne!(calls(42, 0), calls(42, 1));
        assert_ne!(calls(42, 0), calls(43, 0));
        let all = calls(42, 0);
        for (manner, _) in Mix::wild().manners {
            assert!(all.iter().any(|call| call.manner == manner), "{manner:?}");
        }
        assert!((0..3).all(|account| all.iter().any(|call| call.account == account)));
        assert!((10..60).contains(&all.iter().filter(|call| call.trouble.is_some()).count()));
    }

    #[test]
    fn bodies_are_json_and_their_most_covers_them() {
        let prices = PriceList::builtin();
        for call in Calls::new(1, 1, &Mix::wild(), 1, 400) {
            let body = call.body("k0");
            let read: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(read["metadata"]["simulator"]["account"], "k0");
            let most = call.most(body.len(), prices.context(call.model));
            assert!(most.input >= call.words, "{call:?}");
            assert!(
                most.output >= call.tokens * call.choices || call.manner == Manner::Embeddings,
                "{call:?}"
            );
        }
    }
}
