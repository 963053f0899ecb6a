// Learning what images show: for the trainer.
#pragma once

#include <adjoint/core/json.h>
#include <adjoint/data/image_batches.h>
#include <adjoint/models/trainer.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace adjoint::models {

// What a classifier does on images that it does not learn.
struct Examination {
  double loss = 0;      // the mean cross entropy, in nats
  double accuracy = 0;  // the part that is classified right
};

// `model` maps (N, C, H, W) to logits (N, classes). In the mode that it is in; nothing is recorded.
// `stop` may end it early, with nothing.
std::optional<Examination> examine(const nn::ModuleBase& model, const data::ImageBatches& batches,
                                   const std::function<bool()>& stop = {});

struct ImageTaskOptions {
  double label_smoothing = 0;
  Json config = Json::object();  // config.json of the checkpoints
};

// Cross entropy of batches in random order; validation by accuracy ("val_accuracy"), which picks
// the weights; at the end "test_accuracy" and "test_loss".
class ImageTask : public TrainingTask {
 public:
  // The model must outlive this. `test` reads the test set when it is wanted: once, at the end.
  ImageTask(nn::ModuleBase& model, data::ImageBatches train, data::ImageBatches validation,
            std::function<data::ImageBatches()> test, ImageTaskOptions options = {});

  nn::ModuleBase& model() override { return model_; }
  Tensor loss(int64_t step) override;
  std::optional<Validation> validate(const std::function<bool()>& stop) override;
  std::vector<Metric> test() override;
  int64_t units_per_step() const override { return units_; }
  std::string unit() const override { return "samples"; }
  void add_files(io::AtomicDirectory& folder) override;

 private:
  nn::ModuleBase& model_;
  data::ImageBatches train_, validation_;
  std::function<data::ImageBatches()> test_;
  ImageTaskOptions options_;
  int64_t units_;
};

}  // namespace adjoint::models
