#include <adjoint/core/activations.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/core/reductions.h>
#include <adjoint/models/vae.h>

namespace adjoint::models {

Json VaeOptions::to_json() const {
  return Json::object(
      {{"model_type", "vae"}, {"pixels", pixels}, {"hidden", hidden}, {"latent", latent}});
}

Vae::Vae(const VaeOptions& options)
    : fc1(options.pixels, options.hidden),
      fc21(options.hidden, options.latent),
      fc22(options.hidden, options.latent),
      fc3(options.latent, options.hidden),
      fc4(options.hidden, options.pixels) {}

Vae::Posterior Vae::encode(const Tensor& x) const {
  const Tensor h = fc1.activated(flatten(x, 1), Activation::relu);
  return {fc21(h), fc22(h)};
}

Tensor Vae::logits(const Tensor& z) const { return fc4(fc3.activated(z, Activation::relu)); }

Tensor Vae::decode(const Tensor& z) const {
  return within([&] { return sigmoid(logits(z)); });
}

Tensor Vae::forward(const Tensor& x) const {
  return sigmoid(logits(encode(x).mean)).view(x.shape());
}

// KL(N(m, s^2) || N(0, 1)) = (m^2 + s^2 - 1 - log s^2) / 2 for each latent: appendix B.
VaeLoss Vae::loss(const Tensor& x) const {
  return within([&] {
    const auto [mean, log_variance] = encode(x);
    const Tensor z = mean + exp(log_variance * 0.5) * randn_like(mean);
    const auto images = static_cast<double>(x.size(0));
    const Tensor reconstruction =
        binary_cross_entropy_with_logits(logits(z), flatten(x, 1), {}, Reduction::sum) / images;
    const Tensor kl = sum(square(mean) + exp(log_variance) - 1 - log_variance) * (0.5 / images);
    return VaeLoss{reconstruction, kl};
  });
}

void Vae::members(nn::Visitor& v) {
  v("fc1", fc1);
  v("fc21", fc21);
  v("fc22", fc22);
  v("fc3", fc3);
  v("fc4", fc4);
}

}  // namespace adjoint::models
