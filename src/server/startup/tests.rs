//! What the machine may lack, and the line that says so.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// A path of its own for each test, gone with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tidegate-startup-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
        let _ = fs::remove_file(&self.0);
    }
}

fn line(error: &StartError) -> String {
    let text = error.to_string();
    assert!(!text.contains('\n'), "{text}");
    text
}

#[test]
fn a_data_directory_is_created_proved_and_locked() {
    let scratch = Scratch::new();
    let nested = scratch.0.join("a/b");
    let held = open_data_dir(&nested).unwrap();
    assert_eq!(held.path(), nested);
    let left: Vec<_> = fs::read_dir(&nested).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["lock"]);
    let text = line(&open_data_dir(&nested).unwrap_err());
    assert!(text.contains("another process uses it; choose another with --data-dir"), "{text}");
    drop(held);
    open_data_dir(&nested).unwrap();
}

#[test]
fn a_file_in_the_place_of_the_data_directory_is_named() {
    let scratch = Scratch::new();
    fs::write(&scratch.0, b"").unwrap();
    let text = line(&open_data_dir(&scratch.0).unwrap_err());
    assert!(text.contains(": it is a file; "), "{text}");
    let below = line(&open_data_dir(&scratch.0.join("below")).unwrap_err());
    assert!(below.contains("--ephemeral"), "{below}");
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    // A directory in the probe's place fails the write for every user, also for root.
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.0.join("probe")).unwrap();
    let text = line(&open_data_dir(&scratch.0).unwrap_err());
    assert!(text.starts_with("cannot use the data directory "), "{text}");
}

#[test]
fn a_port_in_use_is_named_with_the_flag_that_changes_it() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap();
    let text = line(&bind(address, "--tcp").unwrap_err());
    assert_eq!(
        text,
        format!(
            "cannot listen on {address}: the port is in use; stop what holds it, or choose another \
             address with --tcp"
        )
    );
}

#[test]
fn an_address_of_another_machine_is_named() {
    // TEST-NET-1 is nobody's.
    let text = line(&bind("192.0.2.1:7000".parse().unwrap(), "--http").unwrap_err());
    assert!(text.contains("this machine has no such address"), "{text}");
}

#[test]
fn listeners_are_bound_and_take_connections() {
    let free: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let bound = listen(&Listen { tcp: free, http: free, admin: Some(free) }).unwrap();
    for listener in [&bound.tcp, &bound.http, bound.admin.as_ref().unwrap()] {
        let address = listener.local_addr().unwrap();
        let _stream = std::net::TcpStream::connect(address).unwrap();
        assert_ne!(address.port(), 0);
    }
    let none = listen(&Listen { tcp: free, http: free, admin: None }).unwrap();
    assert!(none.admin.is_none());
    assert_eq!(none.tcp.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn too_few_open_files_say_how_many_are_needed() {
    check_open_files(10_064, 10_000).unwrap();
    let text = line(&check_open_files(10_063, 10_000).unwrap_err());
    assert_eq!(
        text,
        "10063 open files are allowed, limits.connections_max (10000) needs 10064; raise the hard \
         limit (ulimit -Hn, LimitNOFILE) or lower limits.connections_max, to 9999 at most"
    );
    let text = line(&check_open_files(64, 1).unwrap_err());
    assert!(text.ends_with("which leaves room from 65 files on"), "{text}");
}

#[test]
fn the_soft_limit_is_raised_to_the_hard_one() {
    raise_open_files(1).unwrap();
    let (soft, hard) = Resource::NOFILE.get().unwrap();
    assert_eq!(soft, hard);
}
