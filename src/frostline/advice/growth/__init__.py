"""What more images would bring: scores over the number of images, and where they lead."""
