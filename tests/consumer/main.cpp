// A model of one's own, of 25 lines, that learns which of two spirals a point lies on.
#include <adjoint/adjoint.h>

#include <cstdio>
#include <numbers>

using namespace adjoint;

constexpr double kPi = std::numbers::pi;

struct Spirals : nn::Module<Spirals> {
  nn::Linear in, middle, out;
  explicit Spirals(int64_t width) : in(2, width), middle(width, width), out(width, 2) {}
  Tensor forward(const Tensor& x) const { return out(gelu(middle(gelu(in(x))))); }
  void members(nn::Visitor& v) override { v("in", in), v("middle", middle), v("out", out); }
};

int main() {
  manual_seed(1);
  const Tensor r = rand({512, 1}), turn = 3 * r + randint(0, 2, {512, 1}).to(DType::f32);
  const Tensor x = r * cat({cos(kPi * turn), sin(kPi * turn)}, 1);
  const Tensor y = floor(turn - 3 * r + 0.5).flatten().to(DType::i64);
  Spirals model(32);
  optim::AdamW optimizer(model.parameters(), {.lr = 0.01});
  for (int step = 0; step < 300; ++step) {
    optimizer.zero_grad();
    cross_entropy(model(x), y).backward();
    optimizer.step();
  }
  const double right = (argmax(model(x), 1) == y).to(DType::f32).mean().item();
  std::printf("%.1f %% of the points are right\n", 100 * right);
  return right > 0.95 ? 0 : 1;
}
