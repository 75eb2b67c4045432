//! The rules of admission in their order, on a catalogue of three models.

use super::*;
use crate::models::ModelStatus;

fn catalogue() -> Catalogue {
    let model = |id: &str, endpoint| Model {
        id: id.into(),
        aliases: vec![format!("{id}-latest")],
        family: id.into(),
        name: id.into(),
        context: 1000,
        endpoints: vec![endpoint],
        capabilities: vec![],
        status: ModelStatus::Active,
        deprecation: None,
        replacement: None,
        upstream: None,
        workspace_id: None,
    };
    Catalogue::new(vec![
        model("small", EndpointKind::Chat),
        model("large", EndpointKind::Chat),
        model("embed", EndpointKind::Embeddings),
    ])
}

fn rules(catalogue: &Catalogue) -> CallRules {
    CallRules {
        billing_active: true,
        workspace_archived: false,
        addresses: None,
        endpoints: None,
        tools: vec!["web_search".into()],
        priority: false,
        signed_url_hours: 0,
        region: None,
        fallback_models: vec![],
        models: catalogue.allowed(Some(&["small".into(), "embed".into()])),
        tokens_per_request: Some((500, "analyst".into())),
    }
}

fn ask(model: &str) -> Ask<'_> {
    Ask {
        endpoint: EndpointKind::Chat,
        model: Some(model),
        nested_models: &[],
        tools: &[],
        priority: false,
        input_tokens: 100,
        max_tokens: None,
        choices: 1,
    }
}

fn decide(change: impl Fn(&mut CallRules), ask: Ask<'_>) -> Result<(String, Option<u64>), Refusal> {
    let catalogue = catalogue();
    let mut rules = rules(&catalogue);
    change(&mut rules);
    admit(&rules, &catalogue, "10.0.0.1".parse().unwrap(), ask)
        .map(|g| (g.model.id.clone(), g.inject.then_some(g.output)))
}

#[test]
fn the_first_rule_that_fails_speaks() {
    let over = Ask { max_tokens: Some(9_999), ..ask("large") };
    assert_eq!(
        decide(
            |r| {
                r.billing_active = false;
                r.workspace_archived = true
            },
            over
        ),
        Err(Refusal::BillingInactive)
    );
    assert_eq!(
        decide(
            |r| {
                r.workspace_archived = true;
                r.endpoints = Some(vec![])
            },
            over
        ),
        Err(Refusal::WorkspaceArchived)
    );
    assert_eq!(
        decide(|r| r.addresses = Cidr::parse("10.0.0.2").map(|c| vec![c]), over),
        Err(Refusal::AddressNotAllowed)
    );
    assert_eq!(
        decide(|r| r.endpoints = Some(vec![EndpointKind::Fim]), over),
        Err(Refusal::EndpointNotAllowed { endpoint: EndpointKind::Chat })
    );
    assert_eq!(decide(|_| (), over), Err(Refusal::ModelNotAllowed));
}

#[test]
fn unknown_forbidden_misplaced_and_nested_models_are_refused_alike() {
    for name in ["large", "large-latest", "nope", "embed", "Small", ""] {
        assert_eq!(decide(|_| (), ask(name)), Err(Refusal::ModelNotAllowed), "{name}");
    }
    assert_eq!(decide(|_| (), Ask { model: None, ..ask("") }), Err(Refusal::ModelNotAllowed));
    let nested = ["large".to_owned()];
    assert_eq!(decide(|_| (), Ask { nested_models: &nested, ..ask("small") }), Err(Refusal::ModelNotAllowed));
    assert_eq!(decide(|_| (), ask("small-latest")).unwrap().0, "small");
}

#[test]
fn tools_and_tiers_are_refused_by_name() {
    let tools = ["web_search".to_owned(), "connector".to_owned()];
    let both = Ask { tools: &tools, ..ask("small") };
    assert_eq!(decide(|_| (), both), Err(Refusal::ToolNotAllowed { tool: "connector".into() }));
    assert!(decide(|_| (), Ask { tools: &tools[..1], ..ask("small") }).is_ok());
    let priority = Ask { priority: true, ..ask("small") };
    assert_eq!(decide(|_| (), priority), Err(Refusal::TierNotAllowed));
    assert!(decide(|rules| rules.priority = true, priority).is_ok());
}

#[test]
fn tokens_per_request_counts_input_and_every_choice() {
    let with = |max_tokens, choices| {
        decide(|_| (), Ask { max_tokens, choices, ..ask("small") }).map(|(_, inject)| inject)
    };
    assert_eq!(with(Some(400), 1), Ok(None));
    assert_eq!(with(None, 1), Ok(Some(400)));
    assert_eq!(with(None, 3), Ok(Some(133)));
    for (max_tokens, choices, asked) in
        [(Some(401), 1, 501), (Some(201), 2, 502), (Some(u64::MAX), 2, u64::MAX)]
    {
        let refusal = Refusal::TokensPerRequestExceeded { limit: 500, asked, role: "analyst".into() };
        assert_eq!(with(max_tokens, choices), Err(refusal));
    }
    let long = decide(|_| (), Ask { input_tokens: 500, ..ask("small") });
    assert!(matches!(long, Err(Refusal::TokensPerRequestExceeded { .. })), "nothing left for an answer");
    assert_eq!(decide(|r| r.tokens_per_request = None, ask("small")).unwrap().1, None);
}
