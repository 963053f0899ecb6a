// train_vae: trains a variational autoencoder on images, and draws others.
#include <adjoint/core/autograd.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/models/vae.h>

#include "models/train/image_training.h"

namespace adjoint::train {
namespace {

constexpr int64_t kExamined = 500, kDrawn = 64, kColumns = 8;

class VaeTask : public models::TrainingTask {
 public:
  VaeTask(const models::VaeOptions& options, const ImageData& data, const ImageSettings& s)
      : config_(options.to_json()),
        model_(options),
        train_(data.train, {.batch_size = s.batch_size,
                            .seed = static_cast<uint64_t>(s.seed),
                            .shuffle = true,
                            .crop_padding = s.crop_padding,
                            .flip = s.flip}),
        validation_(data.validation, {.batch_size = kExamined}),
        test_(
            [read = data.test] { return data::ImageBatches(read(), {.batch_size = kExamined}); }) {
    // The same codes all the time: pictures that can be compared.
    Generator generator(static_cast<uint64_t>(s.seed));
    codes_ = randn({kDrawn, options.latent}, DType::f32, generator);
  }

  nn::ModuleBase& model() override { return model_; }
  Tensor loss(int64_t step) override { return model_.loss(train_.at(step).images).negative_elbo(); }
  std::optional<models::Validation> validate(const std::function<bool()>& stop) override {
    const auto found = examine(validation_, stop);
    if (!found) return std::nullopt;
    return models::Validation{.loss = found->loss,
                              .metrics = {{"val_elbo", -found->loss}, {"val_kl", found->kl}}};
  }
  std::vector<models::Metric> test() override {
    const Bound found = *examine(test_(), {});
    return {{"test_elbo", -found.loss}, {"test_kl", found.kl}};
  }
  int64_t units_per_step() const override { return train_.options().batch_size; }
  std::string unit() const override { return "samples"; }
  void add_files(io::AtomicDirectory& folder) override {
    folder.write("config.json", config_.dump(2) + "\n");
  }

  // Drawn images, and below them held-out ones with their reconstructions.
  Tensor picture() const {
    const NoGrad no_grad;
    const Tensor real = validation_.at(0).images;
    const Tensor seen = real.narrow(0, 0, std::min(real.size(0), kColumns));
    Shape shape = real.shape();
    shape[0] = kDrawn;
    const Tensor drawn = model_.decode(codes_).view(shape);
    return data::image_grid(cat({drawn, seen, model_(seen)}), kColumns);
  }

 private:
  struct Bound {
    double loss = 0, kl = 0;
  };
  std::optional<Bound> examine(const data::ImageBatches& batches,
                               const std::function<bool()>& stop) const {
    // Of the same z for the same images, whatever was drawn before.
    Generator& generator = default_generator();
    const Generator before = generator;
    generator.set_state(0, 0);
    Bound bound;
    double all = 0;
    for (int64_t i = 0; i < batches.size(); ++i) {
      if (stop && stop()) return std::nullopt;
      const Tensor images = batches.at(i).images;
      const auto count = static_cast<double>(images.size(0));
      const models::VaeLoss found = model_.loss(images);
      bound.loss += found.negative_elbo().item() * count;
      bound.kl += found.kl.item() * count;
      all += count;
    }
    generator = before;
    return Bound{bound.loss / all, bound.kl / all};
  }

  Json config_;
  models::Vae model_;
  data::ImageBatches train_, validation_;
  std::function<data::ImageBatches()> test_;
  Tensor codes_;
};

}  // namespace
}  // namespace adjoint::train

int main(int argc, char** argv) {
  using namespace adjoint;
  struct : train::ImageSettings {
    int64_t hidden = 400, latent = 20;
  } s;
  s.out = "runs/vae";
  s.epochs = 20;
  s.batch_size = 128;
  s.lr = 2e-3;
  s.weight_decay = 0;
  train::OptionTable table(
      "train_vae",
      "Trains a variational autoencoder on images, and draws others into samples/ of the run.");
  train::add_image_options(table, s, train::Labels::ignored);
  table.section("Model");
  table.add("hidden", &s.hidden, "N", "width of the hidden layers", {.least = 1, .most = 1 << 16});
  table.add("latent", &s.latent, "N", "numbers that an image is told by",
            {.least = 1, .most = 1 << 16});
  return train::image_main(argc, argv, table, s, [&](const train::ImageData& data) {
    const models::VaeOptions options{
        .pixels = data.pixels(), .hidden = s.hidden, .latent = s.latent};
    auto task = std::make_unique<train::VaeTask>(options, data, s);
    return train::ImageTraining{.config = options.to_json(),
                                .picture = [made = task.get()] { return made->picture(); },
                                .task = std::move(task)};
  });
}
