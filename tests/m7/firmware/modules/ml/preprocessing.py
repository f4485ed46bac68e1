class Normalization:
    def __init__(self, roi):
        self.roi = roi

    def __call__(self, image):
        return self
