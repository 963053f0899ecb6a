// The subcommands of `adjoint`, a file each. They get the arguments after their name and return the
// exit status; exceptions are for the dispatcher.
#pragma once

#include <adjoint/core/op_catalog.h>

#include <iosfwd>
#include <string>
#include <vector>

namespace adjoint::tools {

using Arguments = std::vector<std::string>;

int command_generate(const Arguments& arguments);
int command_gradcheck(const Arguments& arguments);
int command_eval(const Arguments& arguments);
int command_inspect(const Arguments& arguments);

// What `adjoint gradcheck` prints for these rows, and its exit status: 1 if any derivative is
// wrong.
int report_derivatives(const std::vector<catalog::Row>& rows, bool json, std::ostream& out,
                       std::ostream& err);

}  // namespace adjoint::tools
