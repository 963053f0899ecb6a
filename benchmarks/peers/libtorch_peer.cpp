// The PyTorch C++ frontend's side: per-op overhead and small-model training, without Python in the
// way. To be built with the headers and libraries of a PyTorch that is installed:
//
// T=$(python -c 'import os, torch; print(os.path.dirname(torch.__file__))')
// I="-I$T/include -I$T/include/torch/csrc/api/include"
// L="-L$T/lib -Wl,-rpath,$T/lib -ltorch -ltorch_cpu -lc10"
// g++ -O3 -std=c++20 benchmarks/peers/libtorch_peer.cpp $I $L -o build/libtorch_peer
// build/libtorch_peer [THREADS]
#include <torch/torch.h>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>
template <class F>
double med(F f, double min_s = 1.0) {
  auto now = [] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  };
  f();
  f();
  double t = now();
  f();
  double once = now() - t;
  int n = std::max(1, int(min_s / 5 / once));
  std::vector<double> ts;
  for (int r = 0; r < 5; r++) {
    t = now();
    for (int i = 0; i < n; i++) f();
    ts.push_back((now() - t) / n);
  }
  std::sort(ts.begin(), ts.end());
  return ts[2];
}
int main(int c, char** v) {
  torch::set_num_threads(c > 1 ? atoi(v[1]) : 2);
  torch::manual_seed(0);
  auto x = torch::ones({1}, torch::requires_grad());
  printf("op_chain_scalar\tfwd_bwd_per_op\t%.1f\tns\n", med([&] {
                                                          auto y = x;
                                                          for (int i = 0; i < 1000; i++)
                                                            y = y + 1.0;
                                                          y.backward();
                                                          x.mutable_grad() = torch::Tensor();
                                                        }) * 1e6);
  printf("op_chain_scalar\tnograd_per_op\t%.1f\tns\n", med([&] {
                                                         torch::NoGradGuard g;
                                                         auto y = x;
                                                         for (int i = 0; i < 1000; i++) y = y + 1.0;
                                                       }) * 1e6);
  {
    torch::nn::Sequential m(torch::nn::Linear(2, 16), torch::nn::Tanh(), torch::nn::Linear(16, 16),
                            torch::nn::Tanh(), torch::nn::Linear(16, 1));
    auto X = torch::randn({32, 2}), Y = torch::randn({32, 1});
    torch::optim::SGD o(m->parameters(), 0.01);
    printf("mlp_tiny\ttrain\t%.0f\tsteps/s\n", 1 / med([&] {
                                                 o.zero_grad();
                                                 torch::mse_loss(m->forward(X), Y).backward();
                                                 o.step();
                                               }));
  }
  {
    torch::nn::Sequential m(torch::nn::Linear(784, 128), torch::nn::ReLU(),
                            torch::nn::Linear(128, 10));
    auto X = torch::randn({64, 784});
    auto Y = torch::randint(10, {64});
    torch::optim::Adam o(m->parameters(), 1e-3);
    printf("mlp_mnist\ttrain\t%.0f\tsamples/s\n",
           64 / med([&] {
             o.zero_grad();
             torch::cross_entropy_loss(m->forward(X), Y).backward();
             o.step();
           }));
  }
}
