// The subcommands of `adjoint`, a file each. They get the arguments after their name and return the
// exit status; exceptions are for the dispatcher.
#pragma once

#include <string>
#include <vector>

namespace adjoint::tools {

using Arguments = std::vector<std::string>;

int command_generate(const Arguments& arguments);
int command_gradcheck(const Arguments& arguments);
int command_eval(const Arguments& arguments);
int command_inspect(const Arguments& arguments);

}  // namespace adjoint::tools
