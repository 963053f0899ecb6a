// One layer, one step: what a program outside of the project can do with the public headers.
#include <adjoint/adjoint.h>

#include <cstdio>

using namespace adjoint;

int main() {
  manual_seed(1);
  nn::Linear layer(3, 2);
  optim::SGD optimizer(layer.parameters(), {.lr = 0.1});
  Tensor x = randn({4, 3});
  Tensor loss = square(layer(x)).mean();
  const double before = loss.item();
  loss.backward();
  optimizer.step();
  const double after = square(layer(x)).mean().item();
  std::printf("%f -> %f\n", before, after);
  return after < before ? 0 : 1;
}
