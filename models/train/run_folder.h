// The folder of a run, which belongs to one process at a time.
#pragma once

#include <optional>
#include <string>

#include "models/train/settings.h"
#include "models/train/system.h"

namespace adjoint::train {

class RunFolder {
 public:
  // Looks for the run in --out as --resume asks, and says on stderr which checkpoints are not
  // whole. Makes nothing. IoError where another process trains in it, where it is a file, and where
  // there is a run or none against --resume.
  RunFolder(const std::string& program, const TrainSettings& settings);

  // The checkpoint to go on from, if any.
  const std::optional<std::string>& checkpoint() const { return checkpoint_; }

  // Makes the folder where it is not there yet: only now, so that a mistake in the options leaves
  // none behind. Removes what killed processes left.
  void make();
  // The checkpoint has been read: `latest` names it, should a kill have left it behind.
  void name_latest() const;

 private:
  std::string path_;
  std::optional<FolderLock> lock_;
  std::optional<std::string> checkpoint_;
};

}  // namespace adjoint::train
