//! Compiles the program that the kernel runs at the ingress of interfaces (src/media/shifter). Without clang there
//! is none in this build, and nothing else is missing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const SOURCE: &str = "src/media/shifter/shift.bpf.c";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed={SOURCE}");
    println!("cargo:rerun-if-env-changed=CLANG");
    let object = PathBuf::from(env::var("OUT_DIR")?).join("shift.bpf.o");
    if let Err(why) = compile(&object) {
        println!(
            "cargo:warning=this build has no BPF program: {why}; calls with media.one_ssrc stay in user space. \
             It takes clang (the Debian package clang; another one is named by CLANG)"
        );
        // A file that never is there: clang is looked for again at the next build.
        println!("cargo:rerun-if-changed={}.asked", object.display());
        fs::write(&object, [])?;
    }
    Ok(())
}

fn compile(object: &Path) -> Result<(), String> {
    let clang = env::var("CLANG").unwrap_or_else(|_| "clang".to_owned());
    let big = env::var("CARGO_CFG_TARGET_ENDIAN").is_ok_and(|endian| endian == "big");
    let compiled = Command::new(&clang)
        .args(["-O2", "-g", "-Wall", "-Wextra", "-Werror", "-mcpu=v3"])
        // The maps are told in BTF, which comes with -g; no path of the build does.
        .args(["-fdebug-compilation-dir", "."])
        .args(["-target", if big { "bpfeb" } else { "bpfel" }, "-c", SOURCE, "-o"])
        .arg(object)
        .output()
        .map_err(|error| format!("{clang} cannot be run: {error}"))?;
    if compiled.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&compiled.stderr);
    Err(format!("{clang} does not compile it: {}", said.lines().next().unwrap_or_default()))
}
