//! Lists of pairs.

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;
use skyreels_eval::{Directories, Error, PAPER_PORTRAITS, PairList, Protocol, draw_pairs};

fn names(prefix: &str, count: usize, extension: &str) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}{number}.{extension}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_seed_gives_one_list_whatever_the_order_of_the_names(seed in any::<u64>(), turn in 0usize..20) {
        let (mut portraits, mut drivers) = (names("p", 20, "png"), names("d", 9, "mp4"));
        let draw = |portraits: &[String], drivers: &[String]| {
            draw_pairs(Protocol::Cross, portraits, drivers, PAPER_PORTRAITS, 2, seed).unwrap()
        };
        let list = draw(&portraits, &drivers);
        portraits.rotate_left(turn);
        drivers.reverse();
        prop_assert_eq!(&draw(&portraits, &drivers), &list);
        prop_assert_eq!(list.pairs.len(), 18);
        // Eighteen of twenty portraits: none comes twice.
        prop_assert_eq!(list.pairs.iter().map(|pair| pair.portrait.clone()).collect::<BTreeSet<_>>().len(), 18);
    }

    #[test]
    fn no_portrait_comes_again_before_all_have_come(seed in any::<u64>(), drivers in 1usize..40) {
        let list = draw_pairs(Protocol::Cross, &names("p", 7, "png"), &names("d", drivers, "mp4"), 5, 1, seed).unwrap();
        let mut counts = std::collections::BTreeMap::new();
        list.pairs.iter().for_each(|pair| *counts.entry(pair.portrait.clone()).or_insert(0) += 1);
        // Of five, those that have not come yet count 0.
        let least = if counts.len() < 5 { 0 } else { counts.values().copied().min().unwrap_or(0) };
        let most = counts.values().copied().max().unwrap_or(0);
        prop_assert!(counts.len() <= 5 && most - least <= 1);
    }
}

#[test]
fn another_seed_draws_another_list() {
    let draw =
        |seed| draw_pairs(Protocol::Cross, &names("p", 100, "png"), &names("d", 30, "mp4"), 100, 1, seed).unwrap();
    assert_ne!(draw(1).pairs, draw(2).pairs);
}

#[test]
fn of_oneself_the_driver_is_its_own_portrait() {
    let list = draw_pairs(Protocol::Own, &["d1.png".into()], &names("d", 2, "mp4"), 100, 1, 3).unwrap();
    let portraits: Vec<_> = list.pairs.iter().map(|pair| pair.portrait.as_deref()).collect();
    assert_eq!(portraits, [None, Some("d1.png")]);
    assert_eq!(list.pairs[0].name, "d0");
}

fn touch(directory: &Path, name: &str) {
    std::fs::create_dir_all(directory).unwrap();
    std::fs::write(directory.join(name), b"").unwrap();
}

fn directories(place: &Path) -> Directories {
    let directories = Directories { results: place.join("r"), portraits: place.join("p"), driving: place.join("d") };
    touch(&directories.portraits, "anna.png");
    touch(&directories.portraits, "a__b.jpg");
    touch(&directories.driving, "talk.mp4");
    touch(&directories.driving, "notes.txt");
    std::fs::create_dir_all(&directories.results).unwrap();
    directories
}

#[test]
fn names_of_results_tell_who_performs_whom() {
    let place = tempfile::tempdir().unwrap();
    let directories = directories(place.path());
    assert!(matches!(directories.pairs_by_name(), Err(Error::Empty { .. })));
    for name in ["anna__talk.mp4", "a__b__talk.mp4", "talk.mp4"] {
        touch(&directories.results, name);
    }
    let pairs = directories.pairs_by_name().unwrap();
    let told: Vec<_> = pairs
        .iter()
        .map(|pair| (pair.name.as_str(), pair.portrait.as_ref().map(|path| path.ends_with("anna.png")), pair.truth))
        .collect();
    assert_eq!(told, [("a__b__talk", Some(false), false), ("anna__talk", Some(true), false), ("talk", None, true)]);
    // A name that can be read in two ways is asked about, and so are files of one name.
    let refused = |folder: &Path, name: &str, said: &str| {
        touch(folder, name);
        let error = directories.pairs_by_name().unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        std::fs::remove_file(folder.join(name)).unwrap();
    };
    touch(&directories.portraits, "a.png");
    refused(&directories.driving, "b__talk.mp4", "several pairs");
    refused(&directories.driving, "talk.mov", "talk.mov and talk.mp4");
    refused(&directories.portraits, "anna.jpg", "anna.jpg and anna.png");
    refused(&directories.results, "talk.mkv", "talk.mkv and talk.mp4");
    touch(&directories.results, "stranger.mp4");
    let error = directories.pairs_by_name().unwrap_err().to_string();
    assert!(error.contains("stranger.mp4") && error.contains("PORTRAIT__DRIVER"), "{error}");
}

#[test]
fn a_list_is_read_back_and_says_what_is_missing() {
    let place = tempfile::tempdir().unwrap();
    let directories = directories(place.path());
    let portraits = directories.portrait_names().unwrap();
    let list = draw_pairs(Protocol::Cross, &portraits, &directories.driving_names().unwrap(), 100, 2, 5).unwrap();
    let file = place.path().join("pairs.json");
    list.write(&file).unwrap();
    assert_eq!(PairList::read(&file).unwrap(), list);
    let error = directories.pairs_of(&list).unwrap_err().to_string();
    assert!(error.contains("anna__talk.mp4") && error.contains("a__b__talk.mp4"), "{error}");
    touch(&directories.results, "anna__talk.mov");
    touch(&directories.results, "a__b__talk.mp4");
    let pairs = directories.pairs_of(&list).unwrap();
    assert!(pairs.iter().all(|pair| pair.result.is_file() && !pair.truth));
}

#[test]
fn lists_that_cannot_be_meant_are_refused() {
    let read = |text: &str| {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("pairs.json");
        std::fs::write(&file, text).unwrap();
        PairList::read(&file).map_err(|error| error.to_string())
    };
    let pair = |name: &str, driving: &str| format!(r#"{{"name": "{name}", "driving": "{driving}"}}"#);
    let list = |pairs: &[String]| format!(r#"{{"protocol": "self", "pairs": [{}]}}"#, pairs.join(","));
    assert!(read(&list(&[pair("a", "x.mp4"), pair("b", "sub/x.mp4")])).is_ok());
    for (text, said) in [
        (list(&[]), "nothing"),
        (list(&[pair("a", "x.mp4"), pair("a", "y.mp4")]), "two pairs"),
        (list(&[pair("../a", "x.mp4")]), "not the name"),
        (list(&[pair("a", "../x.mp4")]), "leads out"),
        (list(&[pair("a", "/etc/x.mp4")]), "leads out"),
        ("{".into(), "pairs.json"),
        (r#"{"protocol": "both", "pairs": []}"#.into(), "pairs.json"),
    ] {
        let error = read(&text).unwrap_err();
        assert!(error.contains(said), "{text}: {error}");
    }
    assert!(matches!(draw_pairs(Protocol::Cross, &[], &names("d", 1, "mp4"), 5, 1, 0), Err(Error::Empty { .. })));
    assert!(matches!(draw_pairs(Protocol::Own, &[], &[], 5, 1, 0), Err(Error::Empty { .. })));
}
