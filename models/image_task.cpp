#include <adjoint/core/autograd.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <adjoint/models/image_task.h>

#include <utility>

namespace adjoint::models {

std::optional<Examination> examine(const nn::ModuleBase& model, const data::ImageBatches& batches,
                                   const std::function<bool()>& stop) {
  const NoGrad no_grad;
  Examination result;
  int64_t right = 0, all = 0;
  for (int64_t i = 0; i < batches.size(); ++i) {
    if (stop && stop()) return std::nullopt;
    const data::ImageBatch batch = batches.at(i);
    const Tensor logits = model.call(batch.images).to(DType::f32);
    const int64_t count = batch.labels.numel();
    result.loss += cross_entropy(logits, batch.labels).item() * static_cast<double>(count);
    right += static_cast<int64_t>(sum(argmax(logits, 1) == batch.labels).item());
    all += count;
  }
  result.loss /= static_cast<double>(all);
  result.accuracy = static_cast<double>(right) / static_cast<double>(all);
  return result;
}

ImageTask::ImageTask(nn::ModuleBase& model, data::ImageBatches train, data::ImageBatches validation,
                     std::function<data::ImageBatches()> test, ImageTaskOptions options)
    : model_(model),
      train_(std::move(train)),
      validation_(std::move(validation)),
      test_(std::move(test)),
      options_(std::move(options)),
      units_(train_.options().batch_size) {}

Tensor ImageTask::loss(int64_t step) {
  const data::ImageBatch batch = train_.at(step);
  return cross_entropy(model_.call(batch.images), batch.labels,
                       {.label_smoothing = options_.label_smoothing});
}

std::optional<Validation> ImageTask::validate(const std::function<bool()>& stop) {
  const auto found = examine(model_, validation_, stop);
  if (!found) return std::nullopt;
  return Validation{.loss = found->loss,
                    .metrics = {{"val_accuracy", found->accuracy}},
                    .score = found->accuracy};
}

std::vector<Metric> ImageTask::test() {
  const Examination found = *examine(model_, test_());
  return {{"test_accuracy", found.accuracy}, {"test_loss", found.loss}};
}

void ImageTask::add_files(io::AtomicDirectory& folder) {
  folder.write("config.json", options_.config.dump(2) + "\n");
}

}  // namespace adjoint::models
