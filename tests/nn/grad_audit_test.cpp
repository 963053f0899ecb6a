// Parameters that a backward left without gradient, and why.
#include <adjoint/core/checkpoint.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/reductions.h>
#include <adjoint/nn/grad_audit.h>
#include <adjoint/nn/linear.h>

#include "tests/core/numeric.h"

namespace adjoint::nn {
namespace {

using numeric::random;

struct Router : Module<Router> {
  Linear gate;
  Router() : gate(3, 2, {.bias = false}) {}
  Tensor forward(const Tensor& x) const { return argmax(gate(x), -1); }
  void members(Visitor& v) override { v("gate", gate); }
};

struct Net : Module<Net> {
  Linear body, frozen, unused, cut, aside;
  Router router;
  Net() : body(3, 3), frozen(3, 3), unused(3, 3), cut(3, 3), aside(3, 3) {
    frozen.requires_grad_(false);
  }
  Tensor forward(const Tensor& x) const {
    const Tensor h = frozen(body(x));
    (void)tanh(aside(h));
    const Tensor chosen = router(h).to(DType::f32);
    return h + cut(x).detach() + chosen.reshape({-1, 1});
  }
  void members(Visitor& v) override {
    v("body", body);
    v("frozen", frozen);
    v("unused", unused);
    v("cut", cut);
    v("aside", aside);
    v("router", router);
  }
};

TEST(GradAudit, NamesTheOperatorAtWhichEachPathEnds) {
  const Net m;
  const Tensor x = random({4, 3}, 1, DType::f32);
  std::vector<std::string> lines;
  for (const MissingGradient& missing : grad_audit(m, [&] { sum(m(x)).backward(); })) {
    lines.push_back(missing.to_string());
  }
  const std::vector<std::string> expected = {
      "frozen.weight: frozen",
      "frozen.bias: frozen",
      "unused.weight: not used",
      "unused.bias: not used",
      "cut.weight: its path ends at a detached tensor, which 'add' in Net read",
      "cut.bias: its path ends at a detached tensor, which 'add' in Net read",
      "aside.weight: its path leads to the result of 'tanh' in Net, which backward did not reach",
      "aside.bias: its path leads to the result of 'tanh' in Net, which backward did not reach",
      "router.gate.weight: its path ends at 'argmax' in router, whose result has no gradient",
  };
  ASSERT_EQ(lines.size(), expected.size());
  for (size_t i = 0; i < lines.size(); ++i) {
    // The path to the detached result's own operator is open as well.
    EXPECT_EQ(lines[i].substr(0, expected[i].size()), expected[i]);
  }
}

TEST(GradAudit, IsEmptyWhereAllIsWell) {
  const Linear m(3, 2);
  const Tensor x = random({4, 3}, 1, DType::f32);
  EXPECT_TRUE(grad_audit(m, [&] { sum(m(x)).backward(); }).empty());
  EXPECT_TRUE(grad_audit(m, [&] {
                sum(checkpoint([&](const Tensor& in) { return m(in); }, x)).backward();
              }).empty());
  // Without a backward nothing has a gradient: zeroed first.
  EXPECT_EQ(grad_audit(m, [&] { (void)m(x); }).size(), 2u);
}

}  // namespace
}  // namespace adjoint::nn
