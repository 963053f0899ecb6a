// Where the paths of leaves end.
#include <adjoint/core/checkpoint.h>
#include <adjoint/core/function.h>
#include <adjoint/core/gradient_paths.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/reductions.h>

#include "tests/core/leaf.h"
#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using numeric::leaf;

using Kind = PathEnd::Kind;
using Ends = std::vector<PathEnd>;

TEST(GradientPaths, UnusedAndUsed) {
  const Tensor a = leaf({1, 2}), b = leaf({1});
  const GradientPaths paths({a, b});
  sum(a * a).backward();
  EXPECT_TRUE(paths.used(0));
  EXPECT_EQ(paths.ends(0), (Ends{{Kind::unreached, "sum", ""}}));  // the loss: nobody used it
  EXPECT_FALSE(paths.used(1));
  EXPECT_TRUE(paths.ends(1).empty());
}

TEST(GradientPaths, ResultsWithoutGradient) {
  const Tensor a = leaf({1, 2}), b = leaf({1, 2}), c = leaf({1, 2}), d = leaf({1, 2});
  const GradientPaths paths({a, b, c, d});
  const Tensor chosen = argmax(exp(a), 0);
  const Tensor part = (b * 2.0).detach();
  Tensor hidden;
  {
    const NoGrad off;
    hidden = tanh(c);
  }
  const Tensor own = d.detach();
  (void)sum(exp(part) + hidden + own + chosen);
  EXPECT_EQ(paths.ends(0), (Ends{{Kind::no_gradient, "argmax", ""}}));
  EXPECT_EQ(paths.ends(1)[0], (PathEnd{Kind::detached, "exp", ""}));
  EXPECT_EQ(paths.ends(2), (Ends{{Kind::no_grad_mode, "tanh", ""}}));
  EXPECT_EQ(paths.ends(3), (Ends{{Kind::detached, "add", ""}}));
  EXPECT_NE(to_string(paths.ends(0)[0]).find("'argmax', whose result has no gradient"),
            std::string::npos);
}

TEST(GradientPaths, SeveralEndsInTheirOrder) {
  const Tensor a = leaf({1, 2});
  const GradientPaths paths({a});
  const Tensor h = exp(a);
  (void)argmax(h, 0);
  (void)argmax(h, 0);
  const Tensor rows = select(h.reshape({1, 2}), 0, 0);  // views have their own results' elements
  (void)sin(rows);
  EXPECT_EQ(paths.ends(0), (Ends{{Kind::no_gradient, "argmax", ""}, {Kind::unreached, "sin", ""}}));
}

TEST(GradientPaths, BackwardsThatGiveNothing) {
  struct Rounded : Function<Rounded> {
    static Tensor forward(Context&, const Tensor& x) { return x * 1.0; }
    static std::vector<Tensor> backward(Context&, const std::vector<Tensor>&) { return {Tensor()}; }
  };
  const Tensor a = leaf({1, 2});
  const GradientPaths paths({a});
  sum(Rounded::apply(a * 2.0)).backward();
  EXPECT_FALSE(a.grad().defined());
  EXPECT_EQ(paths.ends(0)[0], (PathEnd{Kind::backward, "Rounded", ""}));
}

// Writes in place go on with the result; what backward and checkpoints compute does not count.
TEST(GradientPaths, WritesAndRecomputation) {
  const Tensor a = leaf({1, 2}), b = leaf({3, 4});
  const GradientPaths paths({a, b});
  const Tensor y = a * 1.0;
  mul_(y, b);
  sum(checkpoint([](const Tensor& x) { return exp(x) * x; }, y)).backward();
  for (const size_t i : {0, 1}) {
    EXPECT_EQ(paths.ends(i), (Ends{{Kind::unreached, "sum", ""}})) << i;
  }
}

}  // namespace
}  // namespace adjoint
