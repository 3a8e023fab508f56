use std::{fs::File, io::Read as _, io::Write as _, process::Stdio};

use rustix::{
    fs::{Mode, OFlags, open},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};
use tokio::{
    process::{Child, Command},
    sync::mpsc,
    time::timeout,
};

use crate::{EVENT_TIMEOUT, soon};

/// A program on a pseudo-terminal, 80 columns wide. It is killed when the value is dropped.
pub struct Terminal {
    keyboard: File,
    screen: mpsc::UnboundedReceiver<Vec<u8>>,
    /// Output that no wait has consumed yet.
    shown: String,
    child: Child,
}

impl Terminal {
    /// Starts a program.
    pub fn start(command: &Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).expect("we own it");
        unlockpt(&master).expect("it can be opened");
        let path = ptsname(&master, Vec::new()).expect("it has a name");
        let terminal: File = open(path.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty())
            .expect("its other end")
            .into();
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&terminal, size).expect("it takes a size");
        let stdio = || Stdio::from(terminal.try_clone().expect("one more handle"));

        let program = command.as_std();
        // setsid makes the terminal the controlling one, so that Ctrl-C reaches the program.
        let mut on_terminal = Command::new("setsid");
        on_terminal.arg("--ctty").arg(program.get_program()).args(program.get_args());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => on_terminal.env(name, value),
                None => on_terminal.env_remove(name),
            };
        }
        on_terminal.env("TERM", "xterm").stdin(stdio()).stdout(stdio()).stderr(stdio()).kill_on_drop(true);
        let child = on_terminal.spawn().expect("it starts");

        let keyboard = File::from(master);
        let mut output = keyboard.try_clone().expect("one more handle");
        let (shows, screen) = mpsc::unbounded_channel();
        // The read fails once no process has the other end open.
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                if shows.send(bytes[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { keyboard, screen, shown: String::new(), child }
    }

    /// Presses keys; Enter is `\r`.
    pub fn type_keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("it reads");
    }

    /// Waits for a text behind the last one waited for, and returns the output up to it.
    pub async fn wait_for(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.shown.find(text) {
                let rest = self.shown.split_off(at + text.len());
                return std::mem::replace(&mut self.shown, rest);
            }
            match timeout(EVENT_TIMEOUT, self.screen.recv()).await {
                Ok(Some(bytes)) => self.shown.push_str(&String::from_utf8_lossy(&bytes)),
                _ => panic!("{text:?} was not shown: {:?}", self.shown),
            }
        }
    }

    /// Waits until it ends by itself, and returns its exit code and the remaining output.
    pub async fn ended(mut self) -> (i32, String) {
        let status = soon(self.child.wait()).await.expect("it can be waited for");
        while let Some(bytes) = soon(self.screen.recv()).await {
            self.shown.push_str(&String::from_utf8_lossy(&bytes));
        }
        (status.code().unwrap_or(-1), self.shown)
    }
}
