//! The model catalogue and its dated prices in the database, and the catalogue that a new database starts with.

use crate::db::{Row, Store, Tx};
use crate::error::StoreError;
use crate::organizations::{read_json, write_json};
use louver_domain::access::Permit;
use louver_domain::models::Model;
use louver_domain::money::Money;
use louver_domain::prices::{Price, Prices};
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

#[derive(Deserialize)]
struct CatalogueFile {
    models: Vec<PricedModel>,
}

/// The catalogue that comes with the program.
pub fn builtin() -> Result<Vec<PricedModel>, StoreError> {
    let file: CatalogueFile = read_json(include_str!("../data/models.json"))?;
    Ok(file.models)
}

const MODELS: &str = "SELECT id, model FROM models ORDER BY position, id";
const PRICES: &str = "SELECT model_id, effective_from, input_nanos_per_mtok, cached_nanos_per_mtok, \
                      output_nanos_per_mtok FROM prices ORDER BY model_id, effective_from";

/// The whole catalogue, in its order.
pub async fn list(store: &Store) -> Result<Vec<PricedModel>, StoreError> {
    let models = store.fetch(MODELS, vec![]).await?;
    join(&models, &store.fetch(PRICES, vec![]).await?)
}

/// The whole catalogue, inside a transaction.
pub async fn load(tx: &mut Tx) -> Result<Vec<PricedModel>, StoreError> {
    let models = tx.fetch(MODELS, vec![]).await?;
    let prices = tx.fetch(PRICES, vec![]).await?;
    join(&models, &prices)
}

/// Writes the whole catalogue in place of what was there.
pub async fn replace(tx: &mut Tx, _permit: &Permit, catalogue: &[PricedModel]) -> Result<(), StoreError> {
    tx.execute("DELETE FROM prices", vec![]).await?;
    tx.execute("DELETE FROM models", vec![]).await?;
    for (position, entry) in catalogue.iter().enumerate() {
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
    Ok(())
}

async fn insert_price(tx: &mut Tx, model: &str, price: &Price) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO prices (model_id, effective_from, input_nanos_per_mtok, cached_nanos_per_mtok, \
         output_nanos_per_mtok) VALUES ($1, $2, $3, $4, $5)",
        vec![
            model.into(),
            price.effective_from.micros().into(),
            price.input_usd_per_mtok.nanos().into(),
            price.cached_input_usd_per_mtok.nanos().into(),
            price.output_usd_per_mtok.nanos().into(),
        ],
    )
    .await?;
    Ok(())
}

fn join(models: &[Row], prices: &[Row]) -> Result<Vec<PricedModel>, StoreError> {
    let mut by_model: HashMap<String, Vec<Price>> = HashMap::new();
    for row in prices {
        let price = Price {
            effective_from: Timestamp::from_micros(row.int(1)?),
            input_usd_per_mtok: Money::from_nanos(row.int(2)?),
            cached_input_usd_per_mtok: Money::from_nanos(row.int(3)?),
            output_usd_per_mtok: Money::from_nanos(row.int(4)?),
        };
        by_model.entry(row.text(0)?).or_default().push(price);
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
        let entries = builtin().unwrap();
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
