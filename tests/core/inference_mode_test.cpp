// InferenceMode: no graph, no versions, and what its tensors may not be used for afterwards.
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/reductions.h>

#include <thread>

#include "tests/core/leaf.h"
#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using numeric::leaf;
using numeric::message_of;
using numeric::values;

Tensor made_inside() {
  const InferenceMode mode;
  return tensor<double>({2, 3}) * 1.0;
}

TEST(InferenceMode, RecordsNothingAndKeepsNoVersions) {
  const Tensor w = leaf({1, 2});
  const int64_t nodes = live_nodes();
  {
    const InferenceMode mode;
    EXPECT_TRUE(inference_mode());
    EXPECT_FALSE(grad_enabled());
    const Tensor y = w * w;
    EXPECT_FALSE(y.requires_grad());
    EXPECT_TRUE(y.is_inference());
    EXPECT_THROW(y.version(), AutogradError);
    add_(y, 1.0);
    EXPECT_TRUE(y.is_inference());
    EXPECT_EQ(values(y), (std::vector<double>{2, 5}));
    {
      const EnableGrad on;
      EXPECT_FALSE((w * w).requires_grad());
    }
  }
  EXPECT_EQ(live_nodes(), nodes);
  EXPECT_FALSE(inference_mode());
  EXPECT_TRUE(grad_enabled());
  EXPECT_FALSE((w * w).is_inference());
}

TEST(InferenceMode, NestsAndIsOfItsThread) {
  const Tensor w = leaf({1, 2});
  const InferenceMode mode;
  {
    const InferenceMode ordinary(false);
    const Tensor y = w * w;
    EXPECT_FALSE(y.is_inference());
    sum(y).backward();
    EXPECT_EQ(values(w.grad()), (std::vector<double>{2, 4}));
  }
  EXPECT_TRUE(inference_mode());
  EXPECT_FALSE(grad_enabled());
  {
    const NoGrad off;
    EXPECT_TRUE(inference_mode());
  }
  std::thread([&] {
    EXPECT_FALSE(inference_mode());
    EXPECT_TRUE((w * w).requires_grad());
  }).join();
}

TEST(InferenceMode, ItsTensorsCannotBeSavedForBackward) {
  const Tensor x = made_inside(), w = leaf({1, 2});
  const std::string message = message_of<AutogradError>([&] { (void)(x * w); });
  for (const char* part : {"mul", "(2,)", "InferenceMode", "clone()"}) {
    EXPECT_NE(message.find(part), std::string::npos) << part << " is not in: " << message;
  }
  sum(x + w).backward();  // saves nothing
  sum(x.clone() * w).backward();
  EXPECT_EQ(values(w.grad()), (std::vector<double>{3, 4}));
  const NoGrad off;
  EXPECT_FALSE((x * w).is_inference());
}

TEST(InferenceMode, ItsTensorsAreNotWrittenNorTrainedOutside) {
  const Tensor x = made_inside();
  EXPECT_NE(message_of<AutogradError>([&] { mul_(x, 2.0); }).find("InferenceMode"),
            std::string::npos);
  const Tensor part = slice(x, 0, 1);
  EXPECT_TRUE(part.is_inference());
  EXPECT_THROW(zero_(part), AutogradError);
  EXPECT_THROW(x.requires_grad_(), AutogradError);
  EXPECT_EQ(values(x), (std::vector<double>{2, 3}));
  const InferenceMode mode;
  mul_(x, 2.0);
  EXPECT_TRUE(x.requires_grad_().requires_grad());
}

// What was there before stays as it was: its views have versions, and its graphs notice writes.
TEST(InferenceMode, OrdinaryTensorsStayOrdinary) {
  const Tensor w = leaf({1, 2});
  const Tensor x = w * 1.0;
  const Tensor y = sum(x * x);
  {
    const InferenceMode mode;
    const Tensor part = select(x, 0, 0);
    EXPECT_FALSE(part.is_inference());
    add_(part, 1.0);
  }
  EXPECT_THROW(y.backward(), AutogradError);
}

TEST(InferenceMode, BackwardLeavesIt) {
  const Tensor w = leaf({1, 2});
  const Tensor y = sum(w * w);
  {
    const InferenceMode mode;
    y.backward();
  }
  EXPECT_FALSE(w.grad().is_inference());
  sum(w * w).backward();
  EXPECT_EQ(values(w.grad()), (std::vector<double>{4, 8}));
}

}  // namespace
}  // namespace adjoint
