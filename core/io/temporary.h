// Names of temporaries that say who owns them: `.tmp-NAME.HOST.PID.START.COUNT`, so that those of
// dead processes can be told from those of living ones.
#pragma once

#include <string>
#include <string_view>

namespace adjoint::io {

// The folder that a path is in ("." for a bare name) and its last component.
std::string parent_of(const std::string& path);
std::string name_of(const std::string& path);

// A new name in the folder of target, unique to this process and call.
std::string temporary_beside(const std::string& target);

// Whether a file name is that of a temporary whose owner ran on this machine and runs no longer.
bool is_stale_temporary(std::string_view name);

}  // namespace adjoint::io
