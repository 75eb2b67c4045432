//! Writes a tree as YAML that every reader understands in the same way: plain words bare, everything else as in JSON.

use serde_json::{Map, Value};

/// A tree whose members keep their order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// A scalar, or a list of scalars.
    Value(Value),
    /// Members in order.
    Map(Vec<(String, Node)>),
    /// Items.
    List(Vec<Node>),
}

impl Node {
    /// As YAML in blocks.
    pub(super) fn yaml(&self) -> String {
        let mut text = String::new();
        match self {
            Self::Map(members) if !members.is_empty() => write_members(&mut text, members, 0, 0),
            other => {
                text.push_str(&flow(other));
                text.push('\n');
            }
        }
        text
    }

    /// As one line of JSON.
    pub(super) fn json(&self) -> String {
        format!("{}\n", self.to_value())
    }

    fn to_value(&self) -> Value {
        match self {
            Self::Value(value) => value.clone(),
            Self::List(items) => items.iter().map(Self::to_value).collect(),
            Self::Map(members) => members
                .iter()
                .map(|(name, node)| (name.clone(), node.to_value()))
                .collect::<Map<_, _>>()
                .into(),
        }
    }
}

/// The members from `indent` on; the first `skip` of them stands on a line that has begun already.
fn write_members(text: &mut String, members: &[(String, Node)], indent: usize, skip: usize) {
    for (place, (name, node)) in members.iter().enumerate() {
        if place >= skip {
            text.push_str(&" ".repeat(indent));
        }
        text.push_str(name);
        text.push(':');
        match node {
            Node::Map(inner) if !inner.is_empty() => {
                text.push('\n');
                write_members(text, inner, indent.saturating_add(2), 0);
            }
            Node::List(items) if !items.is_empty() => {
                text.push('\n');
                write_items(text, items, indent.saturating_add(2));
            }
            scalar => {
                text.push(' ');
                text.push_str(&flow(scalar));
                text.push('\n');
            }
        }
    }
}

fn write_items(text: &mut String, items: &[Node], indent: usize) {
    for item in items {
        text.push_str(&" ".repeat(indent));
        text.push_str("- ");
        match item {
            Node::Map(members) if !members.is_empty() => {
                write_members(text, members, indent.saturating_add(2), 1);
            }
            other => {
                text.push_str(&flow(other));
                text.push('\n');
            }
        }
    }
}

/// On one line.
fn flow(node: &Node) -> String {
    match node {
        Node::Value(Value::Array(items)) => {
            let items: Vec<String> = items.iter().map(|item| flow(&Node::Value(item.clone()))).collect();
            format!("[{}]", items.join(", "))
        }
        Node::Value(Value::String(text)) if is_bare(text) => text.clone(),
        other => other.to_value().to_string(),
    }
}

/// Words that no reader of YAML, old or new, takes for anything else.
fn is_bare(text: &str) -> bool {
    const TAKEN: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./@+".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(plain)
        && !TAKEN.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn blocks_and_flows() {
        let value = |value: Value| Node::Value(value);
        let key = vec![
            ("name".to_owned(), value(json!("dev-team-key"))),
            ("allowed_models".to_owned(), value(json!(["mistral-small", "*", "no"]))),
            ("limits".to_owned(), Node::Map(vec![("monthly_budget_usd".to_owned(), value(json!(0.5)))])),
        ];
        let file = Node::Map(vec![
            ("organization".to_owned(), Node::Map(vec![("name".to_owned(), value(json!("A: b # c")))])),
            ("keys".to_owned(), Node::List(vec![Node::Map(key)])),
            ("groups".to_owned(), Node::List(vec![])),
        ]);
        let text = "organization:\n  name: \"A: b # c\"\nkeys:\n  - name: dev-team-key\n    \
             allowed_models: [mistral-small, \"*\", \"no\"]\n    limits:\n      monthly_budget_usd: 0.5\ngroups: []\n";
        assert_eq!(file.yaml(), text);
        assert_eq!(Node::Map(vec![]).yaml(), "{}\n");
    }

    fn leaf() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<u32>().prop_map(Value::from),
            "\\PC{0,12}".prop_map(Value::from),
            "[a-zA-Z0-9:#~!&*\\[\\]{}|>%@`'\"\\\\\n\t -]{0,12}".prop_map(Value::from),
        ]
    }

    fn node() -> impl Strategy<Value = Node> {
        let leaf = prop_oneof![
            leaf().prop_map(Node::Value),
            prop::collection::vec(leaf(), 0..4).prop_map(|items| Node::Value(items.into())),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Node::List),
                prop::collection::btree_map("[a-z_]{3,8}", inner, 0..4)
                    .prop_map(|members| Node::Map(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(members in prop::collection::btree_map("[a-z_]{3,8}", node(), 0..4)) {
            let file = Node::Map(members.into_iter().filter(|(name, _)| name != "null").collect());
            let read: Value = serde_saphyr::from_str(&file.yaml()).unwrap();
            prop_assert_eq!(read, file.to_value());
        }
    }
}
