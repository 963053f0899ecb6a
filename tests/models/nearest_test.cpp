#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "models/support/nearest.h"

namespace adjoint::models {
namespace {

TEST(Nearest, FindsWhatWasMeant) {
  const std::vector<std::string> names = {"batch-size", "seq-len", "steps", "seed", "lr", "warmup"};
  const auto meant = [&](const char* name) { return nearest(name, names).value_or(""); };
  EXPECT_EQ(meant("steps"), "steps");
  EXPECT_EQ(meant("step"), "steps");
  EXPECT_EQ(meant("sedd"), "seed");
  EXPECT_EQ(meant("esed"), "seed");         // neighbours swapped: one change, not two
  EXPECT_EQ(meant("batch"), "batch-size");  // a beginning
  EXPECT_EQ(meant("batchsize"), "batch-size");
  EXPECT_EQ(meant("btach-szie"), "batch-size");
  EXPECT_EQ(meant("lt"), "lr");
  EXPECT_EQ(meant("warm-up"), "warmup");
  for (const char* name : {"dropout", "momentum", "xyzzy", "validation-fraction"}) {
    EXPECT_EQ(meant(name), "") << name;
  }
  EXPECT_FALSE(nearest("steps", {}));
}

}  // namespace
}  // namespace adjoint::models
