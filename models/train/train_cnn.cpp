// train_cnn: trains a small convolutional network on images.
#include <adjoint/models/cnn.h>

#include "models/train/image_training.h"

int main(int argc, char** argv) {
  using namespace adjoint;
  struct : train::ImageSettings {
    int64_t channels = 32, stages = 2, hidden = 128;
  } s;
  s.out = "runs/cnn";
  s.epochs = 12;
  s.batch_size = 128;
  s.lr = 3e-3;
  s.weight_decay = 0.02;
  s.dropout = 0.3;
  s.flip = true;
  train::OptionTable table("train_cnn",
                           "Trains a small convolutional network to tell what images show.");
  train::add_image_options(table, s);
  table.section("Model");
  table.add("channels", &s.channels, "N", "of the first stage; each has twice as many as the last",
            {.least = 1, .most = 4096});
  table.add("stages", &s.stages, "N", "stages, each of which halves the image",
            {.least = 1, .most = 8});
  table.add("hidden", &s.hidden, "N", "width of the hidden layer", {.least = 1, .most = 1 << 16});
  train::add_dropout(table, s);
  return train::classifier_main(argc, argv, table, s, [&](const train::ImageData& data) {
    models::CnnOptions options{.in_channels = data.channels(),
                               .image_size = data.size(),
                               .channels = {},
                               .hidden = s.hidden,
                               .classes = data.train.classes,
                               .dropout = s.dropout};
    for (int64_t i = 0; i < s.stages; ++i) options.channels.push_back(s.channels << i);
    return train::Classifier{std::make_unique<models::Cnn>(options), options.to_json()};
  });
}
