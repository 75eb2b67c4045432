//! The model catalogue and its dated prices in the database, and the catalogue that a new database starts with.

use crate::db::{Row, Store, Tx, Value};
use crate::error::StoreError;
use crate::organizations::{read_json, write_json};
use louver_domain::access::Permit;
use louver_domain::models::Model;
use louver_domain::money::Money;
use louver_domain::prices::{Price, Prices, ToolPrice};
use louver_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A model with its prices, as in the catalogue file and in the API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PricedModel {
    /// The model.
    #[serde(flatten)]
    pub model: Model,
    /// Its prices, in the order they take effect; none is a model without a price.
    #[serde(default)]
    pub prices: Vec<Price>,
}

/// Everything that has a price: models, and the tools that the provider runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PriceList {
    /// Models, in the order in which they are shown.
    pub models: Vec<PricedModel>,
    /// Tools.
    #[serde(default)]
    pub tools: Vec<PricedTool>,
}

/// A tool that the provider runs, with its prices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PricedTool {
    /// Its type, as in requests: `web_search`, `connector`.
    #[serde(rename = "type")]
    pub tool: String,
    /// Its prices, in the order they take effect.
    pub prices: Vec<ToolPrice>,
}

/// The price list that comes with the program.
pub fn builtin() -> Result<PriceList, StoreError> {
    read_json(include_str!("../data/models.json"))
}

const MODELS: &str = "SELECT id, model FROM models ORDER BY position, id";
const PRICES: &str = "SELECT model_id, effective_from, input_nanos_per_mtok, cached_nanos_per_mtok, \
                      output_nanos_per_mtok, nanos_per_1000_pages, nanos_per_1000_annotated_pages, \
                      nanos_per_audio_minute, nanos_per_mchar, nanos_per_month_kept, priority_percent, batch_percent, \
                      regional_percent FROM prices ORDER BY model_id, effective_from";

const TOOLS: &str =
    "SELECT tool, effective_from, nanos_per_call FROM tool_prices ORDER BY tool, effective_from";

/// The whole price list, in its order.
pub async fn list(store: &Store) -> Result<PriceList, StoreError> {
    let mut tx = store.begin_read().await?;
    let list = load(&mut tx).await?;
    tx.commit_plain().await?;
    Ok(list)
}

/// The whole price list, inside a transaction.
pub async fn load(tx: &mut Tx) -> Result<PriceList, StoreError> {
    let models = tx.fetch(MODELS, vec![]).await?;
    let prices = tx.fetch(PRICES, vec![]).await?;
    let tools = tx.fetch(TOOLS, vec![]).await?;
    Ok(PriceList { models: join(&models, &prices)?, tools: tools_of(&tools)? })
}

/// Writes the whole price list in place of what was there.
pub async fn replace(tx: &mut Tx, _permit: &Permit, list: &PriceList) -> Result<(), StoreError> {
    tx.execute("DELETE FROM prices", vec![]).await?;
    tx.execute("DELETE FROM tool_prices", vec![]).await?;
    tx.execute("DELETE FROM models", vec![]).await?;
    for (position, entry) in list.models.iter().enumerate() {
        let position = i64::try_from(position).unwrap_or(i64::MAX);
        tx.execute(
            "INSERT INTO models (id, position, model) VALUES ($1, $2, $3)",
            vec![entry.model.id.clone().into(), position.into(), write_json(&entry.model)?.into()],
        )
        .await?;
        for price in &entry.prices {
            insert_price(tx, &entry.model.id, price).await?;
        }
    }
    for tool in &list.tools {
        for price in &tool.prices {
            insert_tool_price(tx, &tool.tool, price).await?;
        }
    }
    Ok(())
}

async fn insert_tool_price(tx: &mut Tx, tool: &str, price: &ToolPrice) -> Result<(), StoreError> {
    let values = vec![tool.into(), price.effective_from.micros().into(), price.usd_per_call.nanos().into()];
    let sql = "INSERT INTO tool_prices (tool, effective_from, nanos_per_call) VALUES ($1, $2, $3)";
    tx.execute(sql, values).await?;
    Ok(())
}

fn tools_of(rows: &[Row]) -> Result<Vec<PricedTool>, StoreError> {
    let mut tools: Vec<PricedTool> = Vec::new();
    for row in rows {
        let name = row.text(0)?;
        let price = ToolPrice {
            effective_from: Timestamp::from_micros(row.int(1)?),
            usd_per_call: Money::from_nanos(row.int(2)?),
        };
        match tools.last_mut().filter(|tool| tool.tool == name) {
            Some(tool) => tool.prices.push(price),
            None => tools.push(PricedTool { tool: name, prices: vec![price] }),
        }
    }
    Ok(tools)
}

async fn insert_price(tx: &mut Tx, model: &str, price: &Price) -> Result<(), StoreError> {
    let nanos = |money: Option<Money>| Value::from(money.map(Money::nanos));
    tx.execute(
        "INSERT INTO prices (model_id, effective_from, input_nanos_per_mtok, cached_nanos_per_mtok, \
         output_nanos_per_mtok, nanos_per_1000_pages, nanos_per_1000_annotated_pages, nanos_per_audio_minute, \
         nanos_per_mchar, nanos_per_month_kept, priority_percent, batch_percent, regional_percent) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        vec![
            model.into(),
            price.effective_from.micros().into(),
            nanos(price.input_usd_per_mtok),
            nanos(price.cached_input_usd_per_mtok),
            nanos(price.output_usd_per_mtok),
            nanos(price.usd_per_1000_pages),
            nanos(price.usd_per_1000_annotated_pages),
            nanos(price.usd_per_audio_minute),
            nanos(price.usd_per_mchar),
            nanos(price.usd_per_month_kept),
            i64::from(price.priority_percent).into(),
            i64::from(price.batch_percent).into(),
            i64::from(price.regional_percent).into(),
        ],
    )
    .await?;
    Ok(())
}

fn read_price(row: &Row) -> Result<Price, StoreError> {
    let money = |column| Ok::<_, StoreError>(row.opt_int(column)?.map(Money::from_nanos));
    let percent = |column| row.count(column).map(|percent| u32::try_from(percent).unwrap_or(u32::MAX));
    Ok(Price {
        effective_from: Timestamp::from_micros(row.int(1)?),
        input_usd_per_mtok: money(2)?,
        cached_input_usd_per_mtok: money(3)?,
        output_usd_per_mtok: money(4)?,
        usd_per_1000_pages: money(5)?,
        usd_per_1000_annotated_pages: money(6)?,
        usd_per_audio_minute: money(7)?,
        usd_per_mchar: money(8)?,
        usd_per_month_kept: money(9)?,
        priority_percent: percent(10)?,
        batch_percent: percent(11)?,
        regional_percent: percent(12)?,
    })
}

fn join(models: &[Row], prices: &[Row]) -> Result<Vec<PricedModel>, StoreError> {
    let mut by_model: HashMap<String, Vec<Price>> = HashMap::new();
    for row in prices {
        by_model.entry(row.text(0)?).or_default().push(read_price(row)?);
    }
    let entry = |row: &Row| {
        let prices = by_model.remove(&row.text(0)?).unwrap_or_default();
        Ok(PricedModel { model: read_json(&row.text(1)?)?, prices: Prices::new(prices).all().to_vec() })
    };
    models.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use louver_domain::models::Catalogue;

    #[test]
    fn the_catalogue_that_comes_along_is_sound() {
        let entries = builtin().unwrap().models;
        let catalogue = Catalogue::new(entries.iter().map(|e| e.model.clone()).collect());
        for entry in &entries {
            assert!(!entry.prices.is_empty(), "{} has a price", entry.model.id);
            assert_eq!(catalogue.find(&entry.model.id).unwrap().1.id, entry.model.id);
        }
        for role in louver_domain::model_roles::builtin() {
            assert_eq!(catalogue.unmatched(&role.allowed_models), None, "{}", role.name);
        }
    }
}
