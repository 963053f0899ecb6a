// The subcommands of `adjoint`, a file each. They get the arguments after their name and return the
// exit status; exceptions are for the dispatcher.
#pragma once

#include <adjoint/core/dtype.h>
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
int command_tokenize(const Arguments& arguments);
int command_tokenizer(const Arguments& arguments);

struct GradcheckRequest {
  bool order1 = true, order2 = true;  // which derivatives
  DType dtype = DType::f64;           // f32: its gradients against those of f64
  bool json = false;
};
// What `adjoint gradcheck` prints for these rows, and its exit status: 1 if any derivative is
// wrong.
int report_derivatives(const std::vector<catalog::Row>& rows, const GradcheckRequest& request,
                       std::ostream& out, std::ostream& err);

}  // namespace adjoint::tools
