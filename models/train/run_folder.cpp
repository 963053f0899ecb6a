#include "models/train/run_folder.h"

#include <adjoint/core/file.h>
#include <adjoint/models/checkpoint.h>

#include <filesystem>

#include "models/train/saved_model.h"

namespace adjoint::train {

namespace fs = std::filesystem;

RunFolder::RunFolder(const std::string& program, const TrainSettings& settings)
    : path_(settings.out) {
  std::error_code ignored;
  const fs::file_status status = fs::status(path_, ignored);
  if (fs::is_directory(status)) {
    // Before looking: what another process is about to write must not be overlooked.
    lock_.emplace(path_);
    const auto found = models::find_newest_in_run(path_);
    if (found) {
      show_passed_over(program, *found);
      checkpoint_ = found->path;
    }
  } else {
    check<IoError>(!fs::exists(status), path_, ": is a file; expected a folder for --out");
  }
  check<IoError>(settings.resume != "must" || checkpoint_, path_,
                 ": no checkpoint to go on from; leave --resume must out to start a run");
  check<IoError>(settings.resume != "never" || !checkpoint_, path_,
                 ": there is a run already; give another --out, or --resume auto to go on with it");
}

void RunFolder::make() {
  if (!lock_) {
    io::create_directories(path_);
    lock_.emplace(path_);
    check<IoError>(!models::find_newest_in_run(path_), path_,
                   ": another process has begun a run here meanwhile; give another --out");
  }
  io::remove_stale_temporaries(path_);
}

void RunFolder::name_latest() const {
  const std::string file = path_ + "/latest";
  const std::string name = fs::path(*checkpoint_).filename().string() + "\n";
  std::error_code ignored;
  if (fs::exists(file, ignored) && io::read_text(file) == name) return;
  io::write_file_atomic(file, name);
}

}  // namespace adjoint::train
