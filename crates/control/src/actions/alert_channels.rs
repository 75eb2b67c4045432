//! Alert channels: made, changed, tried out, disabled, removed; where they lead is sealed.

use super::{Deed, commit, names};
use crate::Control;
use crate::api::alert_channels::Shown;
use crate::context::Context;
use crate::delivery::targets::Address;
use crate::delivery::{Target, mail};
use crate::error::ControlError;
use louver_domain::access::{Action, Permit, decide};
use louver_domain::alert_channels::{ChannelKind, SigningSecret};
use louver_domain::alerts::Alert;
use louver_domain::id::AlertChannelId;
use louver_domain::secret::Secret;
use louver_store::alert_channels as store;
use louver_store::{Tx, alerts};

pub use louver_store::alert_channels::AlertChannel;

/// The most addresses of one channel.
const MOST_ADDRESSES: usize = 50;
/// The most channels of an organization: each alert goes to all of them.
const MOST_CHANNELS: usize = 100;

/// An alert channel to be made. Which of the optional fields must be there depends on its kind.
pub struct NewChannel {
    /// A name for people, new in the organization.
    pub name: String,
    /// What it is.
    pub kind: ChannelKind,
    /// Where a webhook or Slack message goes.
    pub url: Option<Secret<String>>,
    /// What signs a webhook, `whsec_…`; made when absent.
    pub secret: Option<Secret<String>>,
    /// Whom a mail goes to.
    pub to: Option<Vec<String>>,
    /// Whether alerts are sent there.
    pub enabled: bool,
}

/// A partial change.
#[derive(Default)]
pub struct ChannelPatch {
    /// A new name.
    pub name: Option<String>,
    /// A new address.
    pub url: Option<Secret<String>>,
    /// A new signing secret.
    pub secret: Option<Secret<String>>,
    /// Other recipients.
    pub to: Option<Vec<String>>,
    /// Whether alerts are sent there.
    pub enabled: Option<bool>,
}

/// A channel just made, with the signing secret when Louver made that.
pub struct Made {
    /// The channel.
    pub channel: AlertChannel,
    /// Shown this once.
    pub secret: Option<Secret<String>>,
}

/// The alert channels of the caller's organization, by name.
pub async fn list(control: &Control, context: &Context) -> Result<Vec<AlertChannel>, ControlError> {
    Ok(store::list(&control.store, context.organization_id()).await?)
}

/// One alert channel.
pub async fn get(
    control: &Control,
    context: &Context,
    id: AlertChannelId,
) -> Result<AlertChannel, ControlError> {
    store::get(&control.store, context.organization_id(), id).await?.ok_or(ControlError::NotFound)
}

/// Makes an alert channel.
pub async fn create(control: &Control, context: &Context, new: NewChannel) -> Result<Made, ControlError> {
    let organization = context.organization_id();
    let permit = decide(&context.actor, Action::CreateAlertChannel, organization)?;
    let new = NewChannel { name: names::read("name", &new.name)?, ..new };
    let mut channel = AlertChannel {
        id: AlertChannelId::new(context.now, &*control.entropy),
        organization_id: organization,
        name: new.name,
        kind: new.kind,
        destination: String::new(),
        sealed_target: None,
        enabled: new.enabled,
        created_at: context.now,
    };
    let mut made = None;
    match new.kind {
        ChannelKind::Webhook => {
            let given = new.secret.as_ref().map(read_secret).transpose()?;
            let signer = given.unwrap_or_else(|| SigningSecret::generate(&*control.entropy));
            made = new.secret.is_none().then(|| signer.text());
            lead_to(control, &mut channel, required(new.url)?, Some(signer))?;
        }
        ChannelKind::Slack => {
            refuse("secret", new.secret.is_some(), "belongs to webhooks")?;
            lead_to(control, &mut channel, required(new.url)?, None)?;
        }
        ChannelKind::Email => {
            refuse("url", new.url.is_some(), "belongs to webhooks and Slack")?;
            refuse("secret", new.secret.is_some(), "belongs to webhooks")?;
            channel.destination = recipients(control, new.to.as_deref().unwrap_or_default())?;
        }
    }
    refuse("to", new.kind != ChannelKind::Email && new.to.is_some(), "belongs to mail")?;
    let mut tx = control.begin(context).await?;
    if store::list(&control.store, organization).await?.len() >= MOST_CHANNELS {
        return Err(ControlError::Conflict("there are 100 alert channels already".into()));
    }
    store::insert(&mut tx, &permit, &channel).await.map_err(taken)?;
    let deed = Deed::on(permit, channel.id, &channel.name).to(&Shown::of(&channel))?;
    commit(control, context, tx, deed).await?;
    Ok(Made { channel, secret: made })
}

/// Changes an alert channel.
pub async fn update(
    control: &Control,
    context: &Context,
    id: AlertChannelId,
    patch: ChannelPatch,
) -> Result<AlertChannel, ControlError> {
    let mut tx = control.begin(context).await?;
    let (permit, mut channel) = load(&mut tx, context, id, Action::UpdateAlertChannel).await?;
    let before = Shown::of(&channel);
    context.must_match(control, &before)?;
    if let Some(name) = patch.name {
        let name = names::read("name", &name)?;
        channel.name = name;
    }
    let mails = channel.kind == ChannelKind::Email;
    refuse("url", mails && patch.url.is_some(), "belongs to webhooks and Slack")?;
    refuse("secret", channel.kind != ChannelKind::Webhook && patch.secret.is_some(), "belongs to webhooks")?;
    refuse("to", !mails && patch.to.is_some(), "belongs to mail")?;
    let given = [("url", patch.url.is_some()), ("secret", patch.secret.is_some())];
    let replaced: Vec<&str> = given.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
    if !replaced.is_empty() {
        let old = Target::open(&control.master, &channel)
            .ok_or_else(|| ControlError::Internal("an alert channel's target does not open".into()))?;
        let signer = patch.secret.as_ref().map(read_secret).transpose()?.or(old.signer);
        lead_to(control, &mut channel, patch.url.unwrap_or(old.url), signer)?;
    }
    if let Some(to) = &patch.to {
        channel.destination = recipients(control, to)?;
    }
    channel.enabled = patch.enabled.unwrap_or(channel.enabled);
    save(control, context, tx, permit, &before, channel, &replaced).await
}

/// Disables an alert channel: its receiver wants no more.
pub(crate) async fn disable(
    control: &Control,
    context: &Context,
    id: AlertChannelId,
) -> Result<(), ControlError> {
    let mut tx = control.begin(context).await?;
    let (permit, mut channel) = load(&mut tx, context, id, Action::UpdateAlertChannel).await?;
    if !channel.enabled {
        return Ok(());
    }
    let before = Shown::of(&channel);
    channel.enabled = false;
    save(control, context, tx, permit, &before, channel, &[]).await.map(drop)
}

async fn save(
    control: &Control,
    context: &Context,
    mut tx: Tx,
    permit: Permit,
    before: &Shown,
    channel: AlertChannel,
    replaced: &[&str],
) -> Result<AlertChannel, ControlError> {
    store::save(&mut tx, &permit, &channel).await.map_err(taken)?;
    let deed = Deed::on(permit, channel.id, &channel.name).from(before)?;
    let deed = deed.after_replacing(&Shown::of(&channel), replaced)?;
    commit(control, context, tx, deed).await?;
    Ok(channel)
}

/// Removes an alert channel, and what was still to be sent there.
pub async fn delete(control: &Control, context: &Context, id: AlertChannelId) -> Result<(), ControlError> {
    let mut tx = control.begin(context).await?;
    let (permit, channel) = load(&mut tx, context, id, Action::DeleteAlertChannel).await?;
    store::delete(&mut tx, &permit, id).await?;
    let deed = Deed::on(permit, channel.id, &channel.name).from(&Shown::of(&channel))?;
    commit(control, context, tx, deed).await
}

/// Sends a test message to an alert channel, through the outbox like any alert; answers the alert.
pub async fn test(control: &Control, context: &Context, id: AlertChannelId) -> Result<Alert, ControlError> {
    let mut tx = control.begin(context).await?;
    let (permit, channel) = load(&mut tx, context, id, Action::TestAlertChannel).await?;
    let alert = Alert::test(channel.organization_id, id, &channel.name, context.now, &*control.entropy);
    alerts::raise_to(&mut tx, &permit, &alert, id).await?;
    commit(control, context, tx, Deed::on(permit, channel.id, &channel.name)).await?;
    control.outbound.wake();
    Ok(alert)
}

async fn load(
    tx: &mut Tx,
    context: &Context,
    id: AlertChannelId,
    action: Action,
) -> Result<(Permit, AlertChannel), ControlError> {
    let channel = store::load(tx, context.organization_id(), id).await?.ok_or(ControlError::NotFound)?;
    Ok((decide(&context.actor, action, channel.organization_id)?, channel))
}

/// Checks where a channel is to lead, and seals it.
fn lead_to(
    control: &Control,
    channel: &mut AlertChannel,
    url: Secret<String>,
    signer: Option<SigningSecret>,
) -> Result<(), ControlError> {
    let address = Address::parse(url.expose(), &control.outbound.allowed);
    channel.destination = address.map_err(|error| ControlError::field("url", error))?.destination();
    let target = Target { url, signer };
    channel.sealed_target = Some(target.seal(&control.master, channel, &*control.entropy)?);
    Ok(())
}

fn recipients(control: &Control, to: &[String]) -> Result<String, ControlError> {
    if control.outbound.mailer.is_none() {
        return Err(ControlError::field("kind", "no mail server is set (smtp in the settings)"));
    }
    if to.is_empty() || to.len() > MOST_ADDRESSES {
        return Err(ControlError::field("to", "must have 1 to 50 mail addresses"));
    }
    let mut addresses = Vec::with_capacity(to.len());
    for (index, email) in to.iter().enumerate() {
        let field = format!("to.{index}");
        let address = names::read_email(&field, email)?;
        refuse(&field, !mail::is_address(&address), "expected a mail address")?;
        refuse(&field, addresses.contains(&address), "stands there twice")?;
        addresses.push(address);
    }
    Ok(addresses.join(","))
}

fn read_secret(text: &Secret<String>) -> Result<SigningSecret, ControlError> {
    let wanted = "expected whsec_ and base64 of 24 to 64 bytes";
    SigningSecret::parse(text.expose()).ok_or_else(|| ControlError::field("secret", wanted))
}

fn required(url: Option<Secret<String>>) -> Result<Secret<String>, ControlError> {
    url.ok_or_else(|| ControlError::field("url", "is required"))
}

fn refuse(field: &str, when: bool, message: &str) -> Result<(), ControlError> {
    if when { Err(ControlError::field(field, message)) } else { Ok(()) }
}

fn taken(error: louver_store::StoreError) -> ControlError {
    ControlError::or_taken(error, "an alert channel of that name exists already")
}
