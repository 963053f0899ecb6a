// What a training program asks of the system: signals, the terminal, a lock on its folder.
//
// SIGINT, SIGTERM and SIGHUP set a flag, which the training looks at between steps; a second one
// ends the process at once.
#pragma once

#include <string>

namespace adjoint::train {

// Handles the three signals from now on, and ignores SIGPIPE and SIGXFSZ: writing fails instead.
void catch_stop_signals();

// The first signal that came, or 0. Programs end with status 128 + it.
int stop_signal();

// Whether stderr is a terminal that takes control sequences.
bool stderr_is_terminal();
// Columns of the terminal at stderr; 80 where it does not say.
int terminal_width();

// Whether stdout is a pipe that nobody reads any more.
bool stdout_is_abandoned();

// Locks a folder against a second process that would train in it; released when the object or the
// process ends.
class FolderLock {
 public:
  // Throws IoError where another process has it.
  explicit FolderLock(const std::string& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int fd_;
};

}  // namespace adjoint::train
