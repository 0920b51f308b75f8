//! Where Burn keeps what its autotuning has found.

use std::path::{Path, PathBuf};

use serde::Serialize;

/// Files that may say where CubeCL keeps its cache, in the order in which they are looked for in a directory.
const CONFIGURATIONS: [&str; 4] = ["cubecl.toml", "CubeCL.toml", "burn.toml", "Burn.toml"];

/// Where CubeCL 0.11, under Burn's backends for cards, keeps compiled kernels and the choices of its autotuning.
///
/// In `target/environment` of the outermost directory with a `Cargo.toml` on the way up from the working directory; where
/// there is none, as for an installed program, in `cubecl` of the user's cache directory (`$XDG_CACHE_HOME`, else
/// `~/.cache`; on Windows `%LOCALAPPDATA%`). A `burn.toml` in the working directory or above it may name another place:
///
/// ```toml
/// [cubecl.environment]
/// path = { directory = "/var/cache/skyreels" }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AutotuneCache {
    /// The directory, as far as the rule above decides.
    pub directory: Option<PathBuf>,
    /// A configuration that may say otherwise.
    pub configuration: Option<PathBuf>,
}

impl AutotuneCache {
    /// The cache of a program that runs in the present working directory.
    pub fn here() -> Self {
        let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let user = if cfg!(windows) {
            variable("LOCALAPPDATA")
        } else {
            variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")))
        };
        match std::env::current_dir() {
            Ok(directory) => Self::of(&directory, user),
            Err(_) => Self { directory: user.map(|user| user.join("cubecl")), configuration: None },
        }
    }

    /// The cache of a program that runs in `working`, for a user with this cache directory.
    fn of(working: &Path, user: Option<PathBuf>) -> Self {
        let workspace = working.ancestors().filter(|directory| directory.join("Cargo.toml").exists()).last();
        let directory = match workspace {
            Some(root) => Some(root.join("target").join("environment")),
            None => user.map(|user| user.join("cubecl")),
        };
        let files = working.ancestors().flat_map(|directory| CONFIGURATIONS.map(|name| directory.join(name)));
        Self { directory, configuration: { files }.find(|file| file.is_file()) }
    }

    /// Bytes that lie in the directory; 0 where there is none.
    pub fn bytes(&self) -> u64 {
        self.directory.as_deref().map_or(0, bytes)
    }
}

/// Bytes of the files in a directory and those below it. Links are not followed.
fn bytes(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes(&entry.path()),
        Ok(metadata) if metadata.is_file() => metadata.len(),
        _ => 0,
    };
    entries.flatten().map(size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outermost_workspace_then_the_user_decides() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("work/member");
        std::fs::create_dir_all(&inner).unwrap();
        let user = Some(PathBuf::from("/home/me/.cache"));
        // Above the temporary directory there may be anything; below it there is a workspace now.
        std::fs::write(folder.path().join("work/Cargo.toml"), "").unwrap();
        std::fs::write(inner.join("Cargo.toml"), "").unwrap();
        std::fs::write(folder.path().join("burn.toml"), "").unwrap();
        let cache = AutotuneCache::of(&inner, user.clone());
        assert_eq!(cache.directory, Some(folder.path().join("work/target/environment")));
        assert_eq!(cache.configuration, Some(folder.path().join("burn.toml")));
        std::fs::remove_file(folder.path().join("work/Cargo.toml")).unwrap();
        std::fs::remove_file(inner.join("Cargo.toml")).unwrap();
        let cache = AutotuneCache::of(&inner, user);
        assert_eq!(cache.directory, Some(PathBuf::from("/home/me/.cache/cubecl")));
    }

    #[test]
    fn every_file_of_a_cache_counts() {
        let folder = tempfile::tempdir().unwrap();
        let cache = |directory: &Path| AutotuneCache { directory: Some(directory.into()), configuration: None };
        std::fs::create_dir(folder.path().join("cuda")).unwrap();
        std::fs::write(folder.path().join("a"), [0; 10]).unwrap();
        std::fs::write(folder.path().join("cuda/b"), [0; 32]).unwrap();
        assert_eq!(cache(folder.path()).bytes(), 42);
        assert_eq!(cache(&folder.path().join("absent")).bytes(), 0);
    }
}
