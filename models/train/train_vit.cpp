// train_vit: trains a Vision Transformer on images.
#include <adjoint/models/vit.h>

#include "models/train/image_training.h"

int main(int argc, char** argv) {
  using namespace adjoint;
  struct : train::ImageSettings {
    int64_t patch = 4, layers = 4, heads = 4, width = 64, mlp = 128;
  } s;
  s.out = "runs/vit";
  s.epochs = 18;
  s.batch_size = 128;
  s.lr = 2e-3;
  s.warmup_epochs = 2;
  s.weight_decay = 0.05;
  s.flip = true;
  train::OptionTable table("train_vit", "Trains a Vision Transformer to tell what images show.");
  train::add_image_options(table, s);
  table.section("Model");
  table.add("patch-size", &s.patch, "N", "height and width of a patch", {.least = 1});
  table.add("layers", &s.layers, "N", "Transformer blocks", {.least = 1, .most = 4096});
  table.add("heads", &s.heads, "N", "attention heads", {.least = 1, .most = 4096});
  table.add("width", &s.width, "N", "of the blocks", {.least = 1, .most = 1 << 16});
  table.add("mlp-width", &s.mlp, "N", "of their hidden layers", {.least = 1, .most = 1 << 18});
  train::add_dropout(table, s);
  return train::classifier_main(argc, argv, table, s, [&](const train::ImageData& data) {
    const models::VitOptions options{.image_size = data.size(),
                                     .patch_size = s.patch,
                                     .in_channels = data.channels(),
                                     .num_layers = s.layers,
                                     .num_heads = s.heads,
                                     .hidden_dim = s.width,
                                     .mlp_dim = s.mlp,
                                     .classes = data.train.classes,
                                     .dropout = s.dropout};
    return train::Classifier{std::make_unique<models::Vit>(options), options.to_json()};
  });
}
