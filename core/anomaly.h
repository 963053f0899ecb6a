// Anomaly detection: where the first NaN comes from.
//
//   const DetectAnomaly guard;
//   loss(model(x)).backward();
//   // AutogradError: sqrt: its backward gave NaN for input 0: 1 of 3 elements of shape (3,), the
//   // first at (2,); its forward ran in encoder.2.attn; ...
//
// As torch.autograd.detect_anomaly. The guard watches what its thread does, and must be there while
// forward runs for the module's path to be known. It looks at every gradient, which is slow, and
// changes no bits. Without a guard nothing is looked at. Guards nest; each thread has its own.
#pragma once

#include <memory>
#include <string>

namespace adjoint {

struct AnomalyOptions {
  // Results of operators in forward, too: AutogradError for the first that has a NaN, with the path
  // of the module as every error has it.
  bool check_forward = false;
};

class DetectAnomaly {
 public:
  explicit DetectAnomaly(const AnomalyOptions& options = {});
  ~DetectAnomaly();
  DetectAnomaly(const DetectAnomaly&) = delete;
  DetectAnomaly& operator=(const DetectAnomaly&) = delete;

 private:
  class Watch;
  std::unique_ptr<Watch> watch_;
};

namespace detail {
// How the path of the module whose forward runs is found: modules know, and say it at start.
void set_module_path_function(std::string (*path)());
// "" outside of modules.
std::string module_path_here();
}  // namespace detail

}  // namespace adjoint
