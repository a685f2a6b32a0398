//! The table of what people ask of call park names the stories that show it: they exist.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

const TABLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../ARCHITECTURE.md"));

#[test]
fn every_story_that_the_table_names_exists() {
    let section = TABLE.split("## What people ask of call park").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| ")).collect();
    let mut named = 0;
    for row in &rows {
        for name in row.split('`').skip(1).step_by(2) {
            let Some((file, story)) = name.split_once("::") else { continue };
            named += 1;
            let (krate, file) = file.split_once('/').unwrap_or(("simnet", file));
            let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
            let places = ["tests", "src"].map(|folder| crates.join(krate).join(folder));
            let text = places
                .iter()
                .find_map(|place| std::fs::read_to_string(place.join(format!("{file}.rs"))).ok());
            let text = text.unwrap_or_else(|| panic!("there is no file for {name}"));
            assert!(text.contains(&format!("fn {story}(")), "there is no story {name}");
        }
    }
    assert!(rows.len() > 38 && named > 60, "{} rows, {named} stories", rows.len());
}
